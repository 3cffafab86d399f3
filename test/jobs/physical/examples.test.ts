import { expect, test } from "vitest";
import busiestRoutes from "../../../examples/busiest_routes.ts";
import flights from "../../../examples/flights.ts";
import greatCircle from "../../../examples/great_circle.ts";
import orders from "../../../examples/orders.ts";
import weather from "../../../examples/weather.ts";
import { Arena } from "../../../src/arrow/mod.ts";
import {
  type Source,
  type SourceInfo,
  type Split,
  sourceOf,
  sources,
  type Tools,
} from "../../../src/connectors/mod.ts";
import { explainPhysical, PART, type PartScanOptions, planPhysical, splitsOfTask } from "../../../src/jobs/mod.ts";
import {
  bind,
  type ConnectorSpec,
  mapTyped,
  optimise,
  type Plan,
  type PlanNode,
  planInputs,
  sourcesOf,
  type TypedExpression,
  userFunctionsOf,
  withInputs,
} from "../../../src/plan/mod.ts";
import { createEngine } from "../../../src/platform/mod.ts";
import type { Dataflow } from "../../../src/stream/mod.ts";
import type { Row } from "./exchanges.ts";
import { runTasks, runWhole } from "./harness.ts";
import { texts } from "./support.ts";

const FLOWS: Readonly<Record<string, Dataflow>> = { busiestRoutes, flights, greatCircle, orders, weather };

/** Of every split of a source so many rows: reference exchanges are slow. */
const SPLIT_ROWS_MAX = 3_000;
const FEW = "few";

const specOf = (spec: ConnectorSpec) => spec.options["source"] as ConnectorSpec;

/** The first rows of every split of another source. */
const fewSource: Source = {
  describe: (spec, tools) => sourceOf(specOf(spec)).describe(specOf(spec), tools),
  splits: (spec, request, tools) => sourceOf(specOf(spec)).splits(specOf(spec), request, tools),
  open(spec, request, split, context) {
    const reader = sourceOf(specOf(spec)).open(specOf(spec), request, split, context);
    let left = SPLIT_ROWS_MAX;
    return {
      async read(maxRows) {
        const batch = left <= 0 ? null : await reader.read(Math.min(maxRows, left));
        left -= batch?.rowCount ?? 0;
        return batch;
      },
      position: () => reader.position(),
      close: () => reader.close(),
    };
  },
};

/** A task's run of the splits of another source. */
const partSource: Source = {
  describe: (spec, tools) => sourceOf(specOf(spec)).describe(specOf(spec), tools),
  async splits(spec, request, tools): Promise<Split[]> {
    const { source, index, count } = spec.options as unknown as PartScanOptions;
    return splitsOfTask(await sourceOf(source).splits(source, request, tools), { index, count });
  },
  open: (spec, request, split, context) => sourceOf(specOf(spec)).open(specOf(spec), request, split, context),
};

function withFew(plan: Plan): Plan {
  const fewer = (e: TypedExpression): TypedExpression => {
    // Of few rows no route has a thousand flights.
    return e.kind === "literal" && e.value === 1_000n ? { ...e, value: 20n } : mapTyped(e, fewer);
  };
  const done = new Map<PlanNode, PlanNode>();
  const rewrite = (node: PlanNode): PlanNode => {
    const after = done.get(node) ?? rewritten(node);
    done.set(node, after);
    return after;
  };
  const rewritten = (node: PlanNode): PlanNode => {
    if (node.kind === "filter") return { ...node, predicate: fewer(node.predicate), input: rewrite(node.input) };
    if (node.kind !== "scan") return withInputs(node, planInputs(node).map(rewrite));
    return { ...node, source: { connector: FEW, options: { source: node.source } } };
  };
  return { ...plan, roots: plan.roots.map(rewrite) };
}

/** Columns by which groups are sorted; which of equal ones comes first, or is the last below a limit, is open. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  busiestRoutes: ["flights"],
  flights: ["late_percent", "flights"],
};

/** All keys in order, and the rows whose keys are not those of the last one, as a multiset. */
function comparable(rows: readonly Row[], keys: readonly string[] | null): readonly string[] {
  if (keys === null) return texts(rows);
  const keysOf = texts(rows.map((row) => Object.fromEntries(keys.map((key) => [key, row[key] ?? null]))));
  const certain = rows.filter((_, i) => keysOf[i] !== keysOf.at(-1));
  return [...keysOf, ...texts(certain).sort()];
}

const registry = sources as Map<string, Source>;
registry.set(FEW, fewSource);
registry.set(PART, partSource);

for (const [name, flow] of Object.entries(FLOWS)) {
  test(`the example ${name} gives in 1, 2 and 7 tasks what it gives whole`, { timeout: 60_000 }, async () => {
    const arena = Arena.create({ limitBytes: 1 << 30 });
    const tools: Tools = (await createEngine({ workers: 0 })).tools;
    const infos = new Map<ConnectorSpec, SourceInfo>();
    for (const spec of sourcesOf(flow.plan)) infos.set(spec, await sourceOf(spec).describe(spec, tools));
    const bound = bind(flow.plan, (spec) => (infos.get(spec) as SourceInfo).schema);
    const rowCount = (spec: ConnectorSpec) => infos.get(spec)?.rowCount ?? null;
    const plan = withFew(optimise(bound, { rowCount }));
    const userFunctions = userFunctionsOf(flow.plan);
    const setup = { arena, tables: new Map(), tools, userFunctions, batchRows: 4_096, morselRows: 1_024 };
    const whole = await runWhole(plan, setup);
    expect(whole.flat().length).toBeGreaterThan(0);
    for (const parallelism of [1, 2, 7]) {
      const facts = (spec: ConnectorSpec) => ({ rowCount: rowCount(specOf(spec)), splitCount: null });
      const physical = planPhysical(plan, { parallelism, slots: 7, facts });
      const tasks = await runTasks(physical, setup);
      for (const [root, rows] of tasks.entries()) {
        const keys = KEYS[name] ?? null;
        const [ours, theirs] = [rows, whole[root] ?? []].map((each) => comparable(each, keys));
        expect(ours, explainPhysical(physical)).toEqual(theirs);
      }
    }
    expect(arena.bytesInUse()).toBe(0);
  });
}
