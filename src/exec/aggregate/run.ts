import { type Batch, DECIMAL_PRECISION_MAX, retainBatch } from "../../arrow/mod.ts";
import { type AggregateTerminal, PARTITION_BITS } from "../../codegen/mod.ts";
import { type AggregateCall, type AggregateNode, type PlanNode, planInputs } from "../../plan/mod.ts";
import type { Driver } from "../driver.ts";
import type { BatchList, OpenPipeline } from "../open_pipeline.ts";
import type { TableGroups, WorkerGroups } from "./group_memory.ts";
import type { EntryRange } from "./output.ts";
import { type MergeArgument, mergeGroups, type OutputArgument } from "./phases.ts";

/** Groups that a merge task should have at least, and entries it should have at most. */
const PART_GROUPS = 16_384;
const PART_ENTRIES = 100_000;
const PART_BITS_MAX = 8;
/** So few groups are merged where the driver is: handing them out would take longer. */
const LOCAL_GROUPS_MAX = 1_024;
const OUTPUT_TASK_ROWS = 65_536;

/** Runs the pipelines below an aggregation to their end and gives its rows, in no particular order. */
export async function runAggregate(
  driver: Driver,
  node: AggregateNode,
  inputs: readonly OpenPipeline[],
): Promise<BatchList> {
  const { id: operator, keys, aggregates, schema } = node;
  const isOfGroups = areGroups(node.input);
  const calls = aggregates.map(withoutWidening);
  const terminal: AggregateTerminal = { kind: "aggregate", operator, keys, aggregates: calls, schema, isOfGroups };
  const state = `aggregate ${operator}`;
  const end = { terminal, state, close: "aggregate.close" };
  const sources = ((await driver.runInto(inputs, end)) as readonly WorkerGroups[][]).flat();
  const results = await resultOf(driver, { terminal, state, sources });
  const batches = results.flat();
  // The workers' references go with their state.
  for (const batch of batches) retainBatch(driver.arena, batch);
  const list = driver.own(batches);
  driver.dropState(state);
  return list;
}

/**
 * A sum of 64-bit integers made decimals is that of the integers, which are added in 128 bits anyway: only its result is
 * a decimal.
 */
function withoutWidening(call: AggregateCall): AggregateCall {
  const { fn, argument } = call;
  if (fn !== "sum" || argument?.kind !== "cast") return call;
  const { operand, type } = argument;
  const isWidened = type.kind === "decimal" && type.precision === DECIMAL_PRECISION_MAX && type.scale === 0;
  const isInteger = operand.type.kind === "int64" || operand.type.kind === "uint64";
  return isWidened && isInteger ? { ...call, argument: operand } : call;
}

/** Whether rows may come in the order of another aggregation's table: from here, or from another task. */
function areGroups(node: PlanNode): boolean {
  if (node.kind === "aggregate") return true;
  if (node.kind === "scan") return node.source.connector === "exchange";
  const [input, ...others] = planInputs(node);
  return input !== undefined && others.length === 0 && areGroups(input);
}

async function resultOf(
  driver: Driver,
  from: { readonly terminal: AggregateTerminal; readonly state: string; readonly sources: readonly WorkerGroups[] },
): Promise<Batch[][]> {
  const { terminal, sources } = from;
  const { batchRows } = driver.options;
  const grouped = terminal.keys.length > 0;
  if (sources.length === 0 && grouped) return [];
  const [only, ...others] = sources;
  if (only?.kind === "table" && others.length === 0 && only.groupCount > LOCAL_GROUPS_MAX) {
    const tasks = outputTasks(only);
    const argument: OutputArgument = { ...from, tasks, batchRows };
    return (await driver.phase("aggregate.output", argument, tasks.length)) as Batch[][];
  }
  if (groupCountOf(sources) <= LOCAL_GROUPS_MAX) {
    return [mergeGroups(driver.local, { ...from, partBits: 0, batchRows } satisfies MergeArgument, 0)];
  }
  const partBits = grouped ? partBitsFor(sources) : 0;
  const argument: MergeArgument = { ...from, partBits, batchRows };
  return (await driver.phase("aggregate.merge", argument, 2 ** partBits)) as Batch[][];
}

function groupCountOf(sources: readonly WorkerGroups[]): number {
  return sources.reduce((sum, { groupCount }) => sum + groupCount, 0);
}

function partBitsFor(sources: readonly WorkerGroups[]): number {
  if (sources.some(({ kind }) => kind === "partitions")) return PARTITION_BITS;
  const counts = sources.map(({ groupCount }) => groupCount);
  const entries = counts.reduce((sum, count) => sum + count, 0);
  const parts = Math.max(Math.max(...counts) / PART_GROUPS, entries / PART_ENTRIES);
  let bits = 0;
  while (bits < PART_BITS_MAX && parts > 2 ** bits) bits++;
  return bits;
}

/** Entries cut into tasks of about `OUTPUT_TASK_ROWS`. */
function outputTasks(groups: TableGroups): EntryRange[][] {
  const tasks: EntryRange[][] = [];
  let rows = OUTPUT_TASK_ROWS;
  for (const chunk of groups.chunks) {
    for (let start = 0; start < chunk.entryCount; ) {
      if (rows >= OUTPUT_TASK_ROWS) {
        tasks.push([]);
        rows = 0;
      }
      const end = Math.min(chunk.entryCount, start + OUTPUT_TASK_ROWS - rows);
      tasks.at(-1)?.push({ ...chunk, start, end });
      rows += end - start;
      start = end;
    }
  }
  return tasks;
}
