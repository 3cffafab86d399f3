/** What workers do in a parallel sort. */
import type { Address, Batch } from "../../arrow/mod.ts";
import { COUNTS_BYTES, SortRecord } from "../../codegen/mod.ts";
import type { WorkerContext } from "../worker_context.ts";
import { gatherRows } from "./gather.ts";
import { KeptBatches } from "./kept_batches.ts";
import type { ResultRange } from "./local.ts";
import { sortCode } from "./sort_code.ts";
import { Blocks, type RowRange, type SortInput } from "./sort_input.ts";

export interface SampleArgument {
  readonly input: SortInput;
  readonly splitters: Address;
  readonly partCount: number;
  /** Bytes that all values of a first key of strings share. */
  readonly offset: number;
}

/** Rows looked at for each part. */
const SAMPLE_ROWS_PER_PART = 48;

/** Chooses splitters that cut the rows into parts of about equal size. Returns the word that all rows had, if so. */
export function sampleSplitters(worker: WorkerContext, argument: unknown): bigint | null {
  const { input, splitters, partCount, offset } = argument as SampleArgument;
  const { arena } = worker;
  const blocks = new Blocks(arena, input.operator);
  try {
    const count = Math.min(input.rowCount, partCount * SAMPLE_ROWS_PER_PART);
    const records = blocks.allocate(count * SortRecord.bytes);
    writeSample(arena.u32, { input, records, count });
    sortCode(arena).sort(input.shapes).fill(0, input.keyTables, records, count, offset);
    const words = new BigUint64Array(count);
    for (let i = 0; i < count; i++) words[i] = arena.u64[(records + i * SortRecord.bytes) >>> 3] as bigint;
    words.sort();
    for (let part = 1; part < partCount; part++) {
      arena.u64[(splitters >>> 3) + part - 1] = words[Math.floor((part * count) / partCount)] as bigint;
    }
    return words[0] === words[count - 1] ? (words[0] as bigint) : null;
  } finally {
    blocks.releaseAll();
  }
}

/** One row from each of `count` equal stretches, at a place that depends only on its number. */
function writeSample(
  u32: Uint32Array,
  to: { readonly input: SortInput; readonly records: Address; readonly count: number },
): void {
  const { batchRows, rowCount } = to.input;
  let batch = 0;
  let firstRow = 0;
  let seed = 1;
  for (let i = 0; i < to.count; i++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    const row = Math.floor(((i + seed / 2 ** 32) * rowCount) / to.count);
    while (row >= firstRow + (batchRows[batch] as number)) firstRow += batchRows[batch++] as number;
    const record = (to.records + i * SortRecord.bytes) >>> 2;
    u32[record + SortRecord.row / 4] = row - firstRow;
    u32[record + SortRecord.batch / 4] = batch;
  }
}

/** The arrays of a parallel sort, by row in input order; a task's rows start at `task * taskRows`. */
export interface PartArgument {
  readonly input: SortInput;
  readonly tasks: readonly (readonly RowRange[])[];
  readonly taskRows: number;
  readonly partCount: number;
  readonly offset: number;
  readonly splitters: Address;
  readonly words: Address;
  readonly parts: Address;
  /** For each task `partCount` counts, later addresses of the next records. */
  readonly positions: Address;
}

/** Words and parts of a task's rows, and how many rows of each part it has. */
export function encodeRows(worker: WorkerContext, argument: unknown, task: number): void {
  const { input, tasks, taskRows, partCount, offset, ...at } = argument as PartArgument;
  const code = sortCode(worker.arena).sort(input.shapes);
  const positions = at.positions + task * partCount * 4;
  worker.arena.u32.fill(0, positions >>> 2, (positions >>> 2) + partCount);
  let row = task * taskRows;
  for (const { batch, start, count } of tasks[task] ?? []) {
    const words = at.words + row * 8;
    code.encode(input.keyTables, batch, start, count, words, offset);
    code.partition(words, count, at.splitters, at.parts + row, positions, partCount >>> 1);
    row += count;
  }
}

/** Whether all of a task's rows have `word` as their first. */
export function rowsShare(worker: WorkerContext, argument: unknown, task: number): boolean {
  const { input, tasks, taskRows, offset, word, words } = argument as PartArgument & { readonly word: bigint };
  const code = sortCode(worker.arena).sort(input.shapes);
  const at = words + task * taskRows * 8;
  return (tasks[task] ?? []).every(({ batch, start, count }) => {
    code.encode(input.keyTables, batch, start, count, at, offset);
    return code.allAre(at, count, word) === 1;
  });
}

export function scatterRows(worker: WorkerContext, argument: unknown, task: number): void {
  const { input, tasks, taskRows, partCount, ...at } = argument as PartArgument;
  const code = sortCode(worker.arena).sort(input.shapes);
  const positions = at.positions + task * partCount * 4;
  let row = task * taskRows;
  for (const { batch, start, count } of tasks[task] ?? []) {
    code.scatter(at.words + row * 8, at.parts + row, count, batch, start, positions);
    row += count;
  }
}

export interface SortPartsArgument {
  readonly input: SortInput;
  readonly parts: readonly { readonly records: Address; readonly count: number }[];
  readonly offset: number;
}

export function sortPart(worker: WorkerContext, argument: unknown, task: number): void {
  const { input, parts, offset } = argument as SortPartsArgument;
  const part = parts[task];
  if (part === undefined || part.count < 2) return;
  const blocks = new Blocks(worker.arena, input.operator);
  try {
    const scratch = blocks.allocate(part.count * SortRecord.bytes);
    const counts = blocks.allocate(COUNTS_BYTES);
    sortCode(worker.arena).sort(input.shapes).sort(input.keyTables, part.records, part.count, scratch, counts, offset);
  } finally {
    blocks.releaseAll();
  }
}

export interface GatherArgument {
  readonly input: SortInput;
  readonly records: Address;
  readonly range: ResultRange;
  readonly batchRows: number;
  readonly state: string;
}

/** One batch of the result. */
export function gatherBatch(worker: WorkerContext, argument: unknown, task: number): Batch {
  const { input, records, range, batchRows, state } = argument as GatherArgument;
  const start = range.start + task * batchRows;
  const count = Math.min(batchRows, range.end - start);
  const from = { records: records + start * SortRecord.bytes, count };
  return KeptBatches.of(worker, state).keep(gatherRows(worker.arena, input, from));
}
