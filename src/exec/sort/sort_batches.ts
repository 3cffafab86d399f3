import { type Address, type Batch, retainBatch } from "../../arrow/mod.ts";
import { CHUNK_BYTES, firstStringGoesOn, PARTS_MAX, SortRecord } from "../../codegen/mod.ts";
import type { Driver } from "../driver.ts";
import type { BatchList } from "../open_pipeline.ts";
import { gatherRange, type ResultRange, sortedRecords } from "./local.ts";
import type { GatherArgument, PartArgument, SampleArgument, SortPartsArgument } from "./phases.ts";
import { Blocks, prepareInput, rangeTasks, type SortInput, type SortRequest } from "./sort_input.ts";

/** Up to so many rows are sorted in the calling thread. */
const LOCAL_ROWS_MAX = 1 << 15;
/** Rows that a part should have: with its scratch memory it stays in a core's second-level cache. */
const PART_ROWS = 1 << 14;
const TASK_ROWS = 1 << 16;
/** So far it is looked for what all strings start with: each step goes through all rows. */
const SHARED_BYTES_MAX = 256;

/** Rows `range` of the sorted batches; the input stays the caller's. */
export async function sortBatches(driver: Driver, request: SortRequest, range: ResultRange): Promise<BatchList> {
  const blocks = new Blocks(driver.arena, request.operator);
  const release = driver.onEnd(() => blocks.releaseAll());
  try {
    const input = prepareInput(driver.arena, request, blocks);
    const result = { start: Math.min(range.start, input.rowCount), end: Math.min(range.end, input.rowCount) };
    if (input.rowCount <= LOCAL_ROWS_MAX) return sortHere(driver, { input, range: result, blocks });
    return await sortInParallel(driver, { input, range: result, blocks });
  } finally {
    release();
  }
}

/** Few rows are sorted sooner than workers are asked. */
function sortHere(driver: Driver, { input, range, blocks }: SortPlan): BatchList {
  const batches: Batch[] = [];
  const list = driver.own(batches);
  try {
    const records = sortedRecords(driver.arena, input, blocks);
    const from = { records, range, batchRows: driver.options.batchRows };
    gatherRange(driver.arena, input, from, (batch) => batches.push(batch));
    return list;
  } catch (error) {
    list.release();
    throw error;
  }
}

async function sortInParallel(driver: Driver, plan: SortPlan): Promise<BatchList> {
  const state = `sort ${plan.input.operator}`;
  try {
    const batches = await new ParallelSort(driver, plan).run(state);
    for (const batch of batches) retainBatch(driver.arena, batch);
    return driver.own(batches);
  } finally {
    driver.dropState(state);
  }
}

interface SortPlan {
  readonly input: SortInput;
  readonly range: ResultRange;
  readonly blocks: Blocks;
}

/**
 * Sample sort: splitters from a sample cut the rows into parts of the key space; rows move to their part in input
 * order; each part is sorted on its own; the result is gathered by output batch. Only parts that the range needs are
 * sorted.
 */
class ParallelSort {
  readonly #driver: Driver;
  readonly #plan: SortPlan;

  constructor(driver: Driver, plan: SortPlan) {
    this.#driver = driver;
    this.#plan = plan;
  }

  /** The result's batches, which are the workers', in the state of that name. */
  async run(state: string): Promise<Batch[]> {
    const { input, range } = this.#plan;
    const { batchRows } = this.#driver.options;
    const records = await this.#sortedRecords();
    const argument: GatherArgument = { input, records, range, batchRows, state };
    const batchCount = Math.ceil((range.end - range.start) / batchRows);
    return (await this.#driver.phase("sort.gather", argument, batchCount)) as Batch[];
  }

  async #sortedRecords(): Promise<Address> {
    const { input, blocks } = this.#plan;
    const { rowCount } = input;
    const partCount = partCountFor(rowCount);
    const tasks = rangeTasks(input.batchRows, TASK_ROWS);
    const whole: PartArgument = {
      input,
      tasks,
      taskRows: TASK_ROWS,
      partCount,
      offset: 0,
      splitters: blocks.allocate(partCount * 8),
      words: blocks.allocate(rowCount * 8),
      parts: blocks.allocate(rowCount),
      positions: blocks.allocate(tasks.length * partCount * 4),
    };
    const argument = { ...whole, offset: await this.#sample(whole) };
    await this.#driver.phase("sort.encode", argument, tasks.length);
    const records = blocks.allocate(rowCount * SortRecord.bytes);
    const starts = this.#place(argument, records);
    await this.#driver.phase("sort.scatter", argument, tasks.length);
    for (const block of [argument.words, argument.parts, argument.positions]) blocks.release(block);
    const parts = this.#neededParts(starts, records);
    await this.#driver.phase(
      "sort.part",
      { input, parts, offset: argument.offset } satisfies SortPartsArgument,
      parts.length,
    );
    return records;
  }

  /**
   * Chooses splitters. Strings that all start alike would make one part of all rows: the bytes that they share, which
   * the result tells, are left out.
   */
  async #sample(argument: PartArgument): Promise<number> {
    const { input, splitters, partCount } = argument;
    for (let offset = 0; ; offset += CHUNK_BYTES) {
      const sample: SampleArgument = { input, splitters, partCount, offset };
      const [word] = (await this.#driver.phase("sort.sample", sample, 1)) as [bigint | null];
      if (word === null || offset > SHARED_BYTES_MAX || !firstStringGoesOn(input.shapes, word)) return offset;
      const shared = await this.#driver.phase("sort.share", { ...argument, offset, word }, argument.tasks.length);
      if (!shared.every(Boolean)) return offset;
    }
  }

  /** Turns counts into addresses: parts one after the other, within a part the tasks in input order. */
  #place(argument: PartArgument, records: Address): number[] {
    const { u32 } = this.#driver.arena;
    const { partCount, tasks, positions } = argument;
    const starts: number[] = [];
    let row = 0;
    for (let part = 0; part < partCount; part++) {
      starts.push(row);
      for (let task = 0; task < tasks.length; task++) {
        const slot = (positions >>> 2) + task * partCount + part;
        const count = u32[slot] as number;
        u32[slot] = records + row * SortRecord.bytes;
        row += count;
      }
    }
    starts.push(row);
    return starts;
  }

  /** Largest first, so that the workers end at about the same time. */
  #neededParts(starts: readonly number[], records: Address): SortPartsArgument["parts"] {
    const { range } = this.#plan;
    return starts
      .slice(0, -1)
      .map((start, i) => ({ start, end: starts[i + 1] as number }))
      .filter(({ start, end }) => end - start > 1 && start < range.end && end > range.start)
      .map(({ start, end }) => ({ records: records + start * SortRecord.bytes, count: end - start }))
      .sort((a, b) => b.count - a.count);
  }
}

function partCountFor(rowCount: number): number {
  let count = 1;
  while (count < PARTS_MAX && rowCount / count > PART_ROWS) count *= 2;
  return count;
}
