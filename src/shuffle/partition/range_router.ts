import { type Address, type Arena, type Batch, type Column, fieldIndex, type Schema } from "../../arrow/mod.ts";
import { ColumnEntry, generateSort, PARTS_MAX, type SortExports, type SortKeyShape } from "../../codegen/mod.ts";
import { ShuffleError } from "../error.ts";
import { type PartitionKernels, partitionKernels } from "./kernels.ts";
import type { Partitioning, RangeKey } from "./partitioning.ts";
import type { Router, Stretch } from "./router.ts";

/** First words of rows in the order of keys: 64 bits that compare as the rows do, equal where more bits would tell. */
class WordMaker {
  readonly #arena: Arena;
  readonly #keys: readonly number[];
  readonly #exports: SortExports;

  /** @throws {ShuffleError} "type" for keys without an order */
  constructor(arena: Arena, schema: Schema, keys: readonly RangeKey[]) {
    this.#arena = arena;
    this.#keys = keys.map(({ name }) => fieldIndex(schema, name));
    // The words must be the same for every batch of every producer, so nothing depends on what a batch has.
    const shapes = keys.map(({ name, descending, nullsFirst }, i): SortKeyShape => {
      const type = schema.fields[this.#keys[i] as number]?.type;
      if (type === undefined || type.kind === "list" || type.kind === "struct") {
        throw new ShuffleError(
          "type",
          `Cannot order by column "${name}": keys are numbers, times, strings and binary.`,
        );
      }
      return { type, descending, nullsFirst, nullable: true, encoding: "mixed" };
    });
    const module = new WebAssembly.Module(generateSort(shapes).bytes);
    const instance = new WebAssembly.Instance(module, { env: { memory: arena.memory } });
    // The generator says what the module exports.
    this.#exports = instance.exports as unknown as SortExports;
  }

  get exports(): SortExports {
    return this.#exports;
  }

  /** Writes a word for each row to `words`. */
  write(batch: Batch, words: Address): void {
    const count = this.#keys.length;
    const tables = this.#arena.allocate(4 * count + ColumnEntry.bytes * count, 0);
    const { u32 } = this.#arena;
    try {
      this.#keys.forEach((key, i) => {
        const table = tables + 4 * count + ColumnEntry.bytes * i;
        u32[(tables >>> 2) + i] = table;
        writeEntry(u32, table >>> 2, batch.columns[key] as Column);
      });
      this.#exports.encode(tables, 0, 0, batch.rowCount, words, 0);
    } finally {
      this.#arena.release(tables);
    }
  }
}

function writeEntry(u32: Uint32Array, at: number, column: Column): void {
  u32[at + ColumnEntry.validity / 4] = column.validity;
  u32[at + ColumnEntry.offsets / 4] = column.offsets;
  u32[at + ColumnEntry.data / 4] = column.data;
  u32[at + ColumnEntry.dictionaryOffsets / 4] = column.dictionary?.offsets ?? 0;
  u32[at + ColumnEntry.dictionaryData / 4] = column.dictionary?.data ?? 0;
  u32[at + ColumnEntry.encoded / 4] = column.dictionary === null ? 0 : 1;
}

/** Words of all rows of a batch, for a planner that samples bounds. */
export function rangeWords(arena: Arena, batch: Batch, keys: readonly RangeKey[]): BigUint64Array {
  const words = arena.allocate(8 * batch.rowCount, 0);
  try {
    new WordMaker(arena, batch.schema, keys).write(batch, words);
    return arena.u64.slice(words >>> 3, (words >>> 3) + batch.rowCount);
  } finally {
    arena.release(words);
  }
}

/** Bounds that cut a sample of words into parts of equal size. */
export function rangeBounds(sample: BigUint64Array, partitions: number): bigint[] {
  const sorted = sample.slice().sort();
  const bounds: bigint[] = [];
  for (let part = 1; part < partitions; part++) {
    bounds.push(sorted[Math.floor((part * sorted.length) / partitions)] ?? 0n);
  }
  return bounds;
}

/** Rows of equal first words share a partition; partitions are in the order of the keys. */
export class RangeRouter implements Router {
  readonly #arena: Arena;
  readonly #kernels: PartitionKernels;
  readonly #words: WordMaker;
  readonly #bounds: readonly bigint[];

  constructor(arena: Arena, schema: Schema, partitioning: Extract<Partitioning, { kind: "range" }>) {
    const { bounds, keys } = partitioning;
    if (bounds.length + 1 > PARTS_MAX) {
      throw new ShuffleError("limit", `Cannot make ${bounds.length + 1} ranges: at most ${PARTS_MAX} are possible.`);
    }
    if (bounds.some((bound, i) => i > 0 && bound < (bounds[i - 1] as bigint))) {
      throw new ShuffleError("type", "Cannot partition by range: the bounds must rise.");
    }
    this.#arena = arena;
    this.#kernels = partitionKernels(arena);
    this.#words = new WordMaker(arena, schema, keys);
    this.#bounds = bounds;
  }

  route(batch: Batch, stretches: readonly Stretch[]): void {
    const { rowCount } = batch;
    let half = 1;
    while (2 * half < this.#bounds.length + 1) half *= 2;
    const splitterCount = 2 * half - 1;
    const arena = this.#arena;
    const block = arena.allocate(8 * splitterCount + (8 + 2 + 1) * rowCount, 0);
    const words = block + 8 * splitterCount;
    const to = words + 8 * rowCount;
    const parts = to + 2 * rowCount;
    try {
      for (let i = 0; i < splitterCount; i++) arena.u64[(block >>> 3) + i] = this.#bounds[i] ?? 2n ** 64n - 1n;
      this.#words.write(batch, words);
      this.#partition({ words, rowCount, block, parts, half }, to);
      this.#order(stretches, to);
    } finally {
      arena.release(block);
    }
  }

  /** Rows at or above all bounds are in the last partition, also above the splitters that only fill up. */
  #partition(
    from: { words: Address; rowCount: number; block: Address; parts: Address; half: number },
    to: Address,
  ): void {
    const { u8, u16 } = this.#arena;
    const last = this.#bounds.length;
    // The kernel counts in a table of its own: its parts are a byte each, and more than ours.
    const histogram = this.#arena.allocateZeroed(4 * PARTS_MAX, 0);
    this.#words.exports.partition(from.words, from.rowCount, from.block, from.parts, histogram, from.half);
    this.#arena.release(histogram);
    for (let row = 0; row < from.rowCount; row++) {
      u16[(to >>> 1) + row] = Math.min(u8[from.parts + row] as number, last);
    }
  }

  #order(stretches: readonly Stretch[], parts: Address): void {
    const { u16, u32 } = this.#arena;
    const partitions = this.#bounds.length + 1;
    for (const { start, count, ends, rows } of stretches) {
      const first = (parts >>> 1) + start;
      const counts = u32.subarray(ends >>> 2, (ends >>> 2) + partitions).fill(0);
      for (let at = first; at < first + count; at++)
        counts[u16[at] as number] = (counts[u16[at] as number] as number) + 1;
      this.#kernels.order(parts + 2 * start, start, count, ends, partitions, rows);
    }
  }
}
