/**
 * What the JobManager knows of a physical plan: which tasks there are and how rows flow between them, but no operators. So
 * it decides about plans that only executors decode.
 */
import * as v from "valibot";
import { type PlanNode, planInputs } from "../../plan/mod.ts";
import { decodeValue, encodeValue, integer, list, parse, text } from "../../protocol/mod.ts";
import { JobsError } from "../error.ts";
import type { FragmentOutput, PhysicalPlan } from "./model.ts";
import { PARALLELISM_MAX } from "./options.ts";

/** Tasks of one plan. */
export const PLAN_TASKS_MAX = 20_000;
const FRAGMENTS_MAX = 10_000;
const LABEL_CHARS_MAX = 256;
const PATH_CHARS_MAX = 4_096;
const ROOTS_MAX = 1_024;

const id = integer(0, 100_000);
const exchange = v.object({
  id,
  from: id,
  to: id,
  isBlocking: v.boolean(),
  kind: v.picklist(["forward", "hash", "range", "roundRobin", "broadcast", "gather", "rebalance"]),
  /** Of kind forward: task i gives to task i + offset. */
  offset: v.optional(integer(-PARALLELISM_MAX, PARALLELISM_MAX)),
});
const output = v.variant("kind", [
  v.object({ kind: v.literal("exchanges") }),
  v.object({ kind: v.literal("sink"), root: integer(0, ROOTS_MAX) }),
  v.object({ kind: v.literal("client"), root: integer(0, ROOTS_MAX) }),
]);
const fragment = v.object({
  id,
  parallelism: integer(1, PARALLELISM_MAX),
  inputs: list(id, FRAGMENTS_MAX),
  output,
  isRepeatable: v.boolean(),
});
const OUTLINE = v.object({
  name: text(128),
  fragments: list(fragment, FRAGMENTS_MAX),
  exchanges: list(exchange, FRAGMENTS_MAX),
  rootCount: integer(0, ROOTS_MAX),
  labels: list(text(LABEL_CHARS_MAX), FRAGMENTS_MAX),
  sinkPaths: list(text(PATH_CHARS_MAX), ROOTS_MAX),
});

export interface ExchangeOutline {
  readonly id: number;
  readonly from: number;
  readonly to: number;
  readonly isBlocking: boolean;
  readonly kind: "forward" | "hash" | "range" | "roundRobin" | "broadcast" | "gather" | "rebalance";
  readonly offset?: number | undefined;
}

export interface FragmentOutline {
  readonly id: number;
  readonly parallelism: number;
  readonly inputs: readonly number[];
  readonly output: { readonly kind: FragmentOutput["kind"]; readonly root?: number };
  readonly isRepeatable: boolean;
}

/** Every `PhysicalPlan` is one. */
export interface PlanOutline {
  readonly name: string;
  readonly fragments: readonly FragmentOutline[];
  readonly exchanges: readonly ExchangeOutline[];
  readonly rootCount: number;
}

export interface JobOutline extends PlanOutline {
  /** By fragment: what it does, in a few words. */
  readonly labels: readonly string[];
  /** Files that its sinks write. */
  readonly sinkPaths: readonly string[];
}

/** The outline of a plan, encoded. */
export function encodeOutline(plan: PhysicalPlan): Uint8Array {
  const fragments = plan.fragments.map(({ id, parallelism, inputs, output: to, isRepeatable }) => {
    const kept = to.kind === "exchanges" ? { kind: to.kind } : { kind: to.kind, root: to.root };
    return { id, parallelism, inputs, output: kept, isRepeatable };
  });
  const exchanges = plan.exchanges.map((one) => {
    const { id, from, to, isBlocking, kind } = one;
    return { id, from, to, isBlocking, kind, ...(one.kind === "forward" ? { offset: one.offset } : {}) };
  });
  const labels = plan.fragments.map((one) => labelOf(one.plan.roots[0] ?? null, one.output));
  const sinkPaths = plan.fragments.flatMap(({ output: to }) => (to.kind === "sink" ? pathsOf(to.sink.options) : []));
  const { name, rootCount } = plan;
  return encodeValue({ name: name.slice(0, 128), fragments, exchanges, rootCount, labels, sinkPaths });
}

/** @throws {JobsError} option, {ProtocolError} when the bytes are no outline */
export function decodeOutline(bytes: Uint8Array): JobOutline {
  const outline = parse(OUTLINE, decodeValue(bytes), "the outline of a plan");
  const tasks = outline.fragments.reduce((sum, { parallelism }) => sum + parallelism, 0);
  if (tasks > PLAN_TASKS_MAX) {
    const advice = "Lower --parallelism.";
    throw new JobsError("option", `Cannot run a plan of ${tasks} tasks: there may be ${PLAN_TASKS_MAX}. ${advice}`);
  }
  const isSound =
    outline.fragments.every(
      (one, place) => one.id === place && one.inputs.every((edge) => edge < outline.exchanges.length),
    ) &&
    outline.exchanges.every(({ id, from, to }, place) => id === place && from < to && to < outline.fragments.length);
  if (!isSound) throw new JobsError("option", "Cannot run the plan: its fragments and exchanges do not fit together.");
  return outline;
}

function labelOf(root: PlanNode | null, to: FragmentOutput): string {
  const words: string[] = [];
  for (let node = root; node !== null; node = planInputs(node)[0] ?? null) {
    const word = node.kind === "scan" ? node.source.connector : node.kind;
    if (word !== words.at(-1)) words.push(word);
  }
  words.reverse();
  if (to.kind === "sink") words.push(to.sink.connector);
  const text = words.join(" → ");
  return text.length <= LABEL_CHARS_MAX ? text : `${text.slice(0, LABEL_CHARS_MAX - 1)}…`;
}

function pathsOf({ path }: Readonly<Record<string, unknown>>): string[] {
  return typeof path === "string" && path.length <= PATH_CHARS_MAX ? [path] : [];
}
