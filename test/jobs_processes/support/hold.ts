/**
 * Preloaded into nodes and executors (Bun): who comes to the moment that `$SAGE_TEST_HOLD/moment` names says so beside it,
 * and waits there until that file is gone. So a fault strikes while a job is at that moment, however short it is.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { plugin } from "bun";

const LOOK_MS = 10;
const HELD_MS_MAX = 20_000;
const directory = process.env["SAGE_TEST_HOLD"] ?? "";

async function hold(moment: string): Promise<void> {
  if (!isAwaited(moment)) return;
  writeFileSync(`${directory}/held-${process.pid}`, moment);
  for (let waitedMs = 0; waitedMs < HELD_MS_MAX && isAwaited(moment); waitedMs += LOOK_MS) await Bun.sleep(LOOK_MS);
}

function isAwaited(moment: string): boolean {
  return existsSync(`${directory}/moment`) && readFileSync(`${directory}/moment`, "utf8") === moment;
}

Object.assign(globalThis, { sageTestHold: hold });

/** By module: what is done to its text. Each name that is wrapped is there, or the module cannot be loaded. */
const CHANGES: Readonly<Record<string, (text: string) => string>> = {
  compile: (text) => `${rename(text, "export async function compile(", "async function plainCompile(")}
export async function compile(engine, request) {
  const compiled = await plainCompile(engine, request);
  await globalThis.sageTestHold("before deploy");
  return compiled;
}`,
  task: (text) => `${rename(text, "export class Task {", "class PlainTask {")}
import { planInputs } from "../plan/mod.ts";
const isSort = (node) => node.kind === "sort" || planInputs(node).some(isSort);
export class Task extends PlainTask {
  constructor(parts, order) {
    super(parts, order);
    const { roots } = parts.plan.fragments[order.task.fragment].plan;
    globalThis.sageTestSorts ??= new WeakSet();
    if (roots.some(isSort)) globalThis.sageTestSorts.add(order.inputs);
  }
}`,
  inputs: (text) => `${rename(text, "export class TaskInputs {", "class PlainTaskInputs {")}
export class TaskInputs extends PlainTaskInputs {
  constructor(options) {
    super(options);
    this.places = options.places;
  }
  reader(edge) {
    return Object.assign(super.reader(edge), { isOfSort: () => globalThis.sageTestSorts?.has(this.places) });
  }
}
const plainNext = ExchangeRounds.prototype.next;
ExchangeRounds.prototype.next = async function (rowsMax) {
  const batches = await plainNext.call(this, rowsMax);
  if (batches !== null) await globalThis.sageTestHold("in shuffle");
  else if (this.isOfSort()) await globalThis.sageTestHold("in sort");
  return batches;
};`,
  target: (text) => `${text}
for (const each of [ClientTarget, SinkTarget]) {
  const plainFinish = each.prototype.finish;
  each.prototype.finish = async function () {
    await globalThis.sageTestHold("in the last second");
    await plainFinish.call(this);
  };
}
const plainCommit = SinkTarget.prototype.commit;
SinkTarget.prototype.commit = async function () {
  await globalThis.sageTestHold("before the commit");
  await plainCommit.call(this);
  await globalThis.sageTestHold("after the commit");
};`,
};

function rename(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`hold.ts expects "${from}"`);
  return text.replace(from, to);
}

plugin({
  name: "hold",
  setup(build) {
    build.onLoad({ filter: /src\/executor\/(compile|task|inputs|target)\.ts$/ }, async ({ path }) => {
      const name = path.slice(path.lastIndexOf("/") + 1, -".ts".length);
      const text = await Bun.file(path).text();
      return { contents: CHANGES[name]?.(text) ?? text, loader: "ts" };
    });
  },
});
