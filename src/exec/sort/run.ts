import type { Batch } from "../../arrow/mod.ts";
import { planWords, Threshold, thresholdShapes } from "../../codegen/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import type { SortNode } from "../../plan/mod.ts";
import type { Driver } from "../driver.ts";
import type { TopKKey } from "../messages.ts";
import { type BatchList, closed, type OpenPipeline, withStage, withStep } from "../open_pipeline.ts";
import { type KeyedInput, withKeyColumns } from "./key_columns.ts";
import type { ResultRange } from "./local.ts";
import { sortBatches } from "./sort_batches.ts";
import type { KeyColumn } from "./sort_input.ts";
import { positionKey } from "./top_k.ts";

/** Up to so many rows, offset included, workers keep the best rows instead of all. */
const TOP_K_ROWS_MAX = 1 << 20;

/** Rows that are collected before they go to the candidates: few, so that the first ones soon set a threshold. */
const BUFFER_ROWS = 1 << 12;

const KEPT_ROWS_MAX = 1 << 12;

/** The rows of `input` in the order of the node's keys, equal ones in input order; with a limit only those wanted. */
export async function runSort(driver: Driver, node: SortNode, input: readonly OpenPipeline[]): Promise<BatchList> {
  const end = node.limit === null ? Number.POSITIVE_INFINITY : node.offset + node.limit;
  if (node.offset >= end) return driver.own([]);
  const sort: Sort = { node, keyed: withKeyColumns(node, input), range: { start: node.offset, end } };
  return end <= TOP_K_ROWS_MAX ? await sortTop(driver, sort) : await sortAll(driver, sort);
}

interface Sort {
  readonly node: SortNode;
  readonly keyed: KeyedInput;
  readonly range: ResultRange;
}

async function sortAll(driver: Driver, sort: Sort): Promise<BatchList> {
  const list = await driver.materialise(sort.keyed.pipelines);
  try {
    return await sortList(driver, sort, { batches: list.batches, keys: keyColumns(sort.keyed) });
  } finally {
    list.release();
  }
}

async function sortTop(driver: Driver, sort: Sort): Promise<BatchList> {
  const { node, keyed } = sort;
  const state = `top ${node.id}`;
  const bytes = Math.ceil((Threshold.words + 8 * planWords(thresholdShapes(keyed.keys)).length) / 64) * 64;
  const address = driver.arena.allocateZeroed(driver.pool.size * bytes, node.id);
  const release = driver.onEnd(() => driver.arena.release(address));
  const keys = keyColumns(keyed).map((key) => ({ ...key, nullable: true as const }));
  try {
    const ended = keyed.pipelines.map((each) =>
      topPipeline(each, { sort, state, keys, thresholds: { address, bytes } }),
    );
    const close = { name: "sort.candidates", argument: state };
    const batches = ((await driver.runToClose(ended, close)) as readonly Batch[][]).flat();
    return await sortList(driver, sort, { batches, keys: [...keys, positionKey(keyed.schema)] });
  } finally {
    release();
    // Few rows may stay to the end of the job, which drops all states.
    if (sort.range.end > KEPT_ROWS_MAX) driver.dropState(state);
  }
}

function topPipeline(
  pipeline: OpenPipeline,
  to: {
    readonly sort: Sort;
    readonly state: string;
    readonly keys: readonly TopKKey[];
    readonly thresholds: { readonly address: number; readonly bytes: number };
  },
): OpenPipeline {
  const { sort, state, keys, thresholds } = to;
  const { id: operator } = sort.node;
  const { schema } = sort.keyed;
  const limit = sort.range.end;
  const step = { kind: "threshold", operator, keys: sort.keyed.keys, thresholds } as const;
  const stage = { kind: "topK", operator, inputSchema: schema, keys, limit, state, thresholds } as const;
  const filtered = closed(withStep(pipeline, step, schema));
  const stages = filtered.stages.map((each, i) => {
    return each.kind === "code" && i === filtered.stages.length - 1 ? { ...each, capacityRows: BUFFER_ROWS } : each;
  });
  return withStage({ ...filtered, stages }, stage, schema);
}

async function sortList(
  driver: Driver,
  sort: Sort,
  from: { readonly batches: readonly Batch[]; readonly keys: readonly KeyColumn[] },
): Promise<BatchList> {
  const batches = from.batches.filter((batch) => batch.rowCount > 0);
  if (batches.length === 0) return driver.own([]);
  const { id: operator, schema } = sort.node;
  return await sortBatches(driver, { operator, batches, keys: from.keys, schema }, sort.range);
}

function keyColumns({ keys, schema }: KeyedInput): KeyColumn[] {
  return keys.map(({ expression, descending, nullsFirst }) => {
    invariant(expression.kind === "column", "keys are columns");
    const column = schema.fields.findIndex(({ name }) => name === expression.name);
    invariant(column >= 0, `key ${expression.name} is a column of the input`);
    return { column, descending, nullsFirst };
  });
}
