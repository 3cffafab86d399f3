import { type SourceInfo, sourceOf } from "../connectors/mod.ts";
import { encodeOutline, encodePhysicalPlan, explainPhysical, planPhysical } from "../jobs/mod.ts";
import {
  bind,
  type ConnectorSpec,
  decodeLogicalPlan,
  type LogicalPlan,
  optimise,
  type Plan,
  type PlanNode,
  planInputs,
  sourcesOf,
  userFunctionsOf,
} from "../plan/mod.ts";
import type { EnginePort } from "./ports.ts";

const TEXT_CHARS_MAX = 60_000;

export interface CompileRequest {
  /** Logical plan. */
  readonly plan: Uint8Array;
  readonly slots: number;
  readonly parallelism: number | null;
}

export interface Compiled {
  readonly outline: Uint8Array;
  readonly plan: Uint8Array;
  readonly text: string;
}

/** Rows that are read again sooner than anyone notices. */
const PIPELINED_ROWS_MAX = 1_000_000;

/**
 * Of a long job, what has been made is kept, so that a loss costs only what was lost. A short one is rather done sooner:
 * its stages run at the same time, and after a loss from the start.
 */
function isSoonDone(plan: LogicalPlan, rowCount: (source: ConnectorSpec) => number | null): boolean {
  const rows = sourcesOf(plan).reduce((sum, source) => sum + (rowCount(source) ?? Number.POSITIVE_INFINITY), 0);
  return rows <= PIPELINED_ROWS_MAX && userFunctionsOf(plan).size === 0;
}

/**
 * Looks at the sources, optimises, and cuts into tasks.
 *
 * @throws {PlanError | ConnectorError | JobsError} the job is wrong, or what it reads is not there
 */
export async function compile(engine: EnginePort, request: CompileRequest): Promise<Compiled> {
  const logical = decodeLogicalPlan(request.plan);
  const tools = { ...engine.tools, turn: () => engine.turn() };
  const infos = new Map<ConnectorSpec, SourceInfo>();
  for (const spec of sourcesOf(logical)) infos.set(spec, await sourceOf(spec).describe(spec, tools));
  const bound = bind(logical, (spec) => (infos.get(spec) as SourceInfo).schema);
  const rowCount = (spec: ConnectorSpec) => infos.get(spec)?.rowCount ?? null;
  const plan = optimise(bound, { rowCount });
  const isSpread = (request.parallelism ?? request.slots) > 1;
  const splitCounts = isSpread ? await countSplits(plan, tools) : new Map<ConnectorSpec, number>();
  const physical = planPhysical(plan, {
    slots: request.slots,
    parallelism: request.parallelism,
    facts: (spec) => ({ rowCount: rowCount(spec), splitCount: splitCounts.get(spec) ?? null }),
    pipelines: isSoonDone(logical, rowCount),
  });
  const text = explainPhysical(physical);
  return {
    outline: encodeOutline(physical),
    plan: encodePhysicalPlan(physical),
    text: text.length <= TEXT_CHARS_MAX ? text : `${text.slice(0, TEXT_CHARS_MAX)}\n…`,
  };
}

/** Parts of each source that can be read apart, as its scan asks for them. */
async function countSplits(plan: Plan, tools: EnginePort["tools"]): Promise<ReadonlyMap<ConnectorSpec, number>> {
  const counts = new Map<ConnectorSpec, number>();
  const seen = new Set<PlanNode>();
  const nodes = [...plan.roots];
  for (let node = nodes.pop(); node !== undefined; node = nodes.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    nodes.push(...planInputs(node));
    if (node.kind !== "scan") continue;
    const { source, schema, predicate, rowLimit } = node;
    const columns = schema.fields.map(({ name }) => name);
    const splits = await sourceOf(source).splits(source, { columns, predicate, rowLimit }, tools);
    counts.set(source, Math.max(counts.get(source) ?? 0, splits.length, 1));
  }
  return counts;
}
