import { type Address, type Arena, type Batch, type Column, type DataType, valueType } from "../../arrow/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import { ShuffleError } from "../error.ts";
import { type PartitionKernels, partitionKernels } from "./kernels.ts";
import type { Router, Stretch } from "./router.ts";
import { SORTED_PARTITIONS_MAX, sortScratchBytes } from "./sort_kernels.ts";

const BITS_BYTES = 8;
const PART_BYTES = 2;

/** Sends equal keys to one partition; nulls count as equal. */
export class HashRouter implements Router {
  readonly #arena: Arena;
  readonly #kernels: PartitionKernels;
  readonly #keys: readonly number[];
  readonly #partitions: number;

  /** @param keys positions of the key columns, at least one */
  constructor(arena: Arena, keys: readonly number[], partitions: number) {
    invariant(keys.length > 0, "hash partitioning wants a key");
    this.#arena = arena;
    this.#kernels = partitionKernels(arena);
    this.#keys = keys;
    this.#partitions = partitions;
  }

  route(batch: Batch, stretches: readonly Stretch[]): void {
    const { rowCount } = batch;
    const scratch = this.#arena.allocate(2 * BITS_BYTES * rowCount, 0);
    try {
      const [first] = this.#keys;
      const column = batch.columns[first as number] as Column;
      const hasNulls = column.validity !== 0 && column.nullCount > 0;
      if (this.#keys.length === 1 && !hasNulls && this.#isFew) {
        return this.#sort(stretches, { bits: this.#bitsOf(column, scratch), isHashed: false });
      }
      this.#keys.forEach((key, i) => {
        const { validity } = batch.columns[key] as Column;
        const bits = this.#bitsOf(batch.columns[key] as Column, scratch + BITS_BYTES * rowCount);
        this.#kernels.mixIn(bits, rowCount, scratch, validity, i === 0 ? 1 : 0);
      });
      this.#sort(stretches, { bits: scratch, isHashed: true });
    } finally {
      this.#arena.release(scratch);
    }
  }

  /** `bits`: of one key without nulls, or the hashes of rows. */
  #sort(stretches: readonly Stretch[], of: { readonly bits: Address; readonly isHashed: boolean }): void {
    const kernels = this.#kernels;
    const partitions = this.#partitions;
    const rowsMax = Math.max(0, ...stretches.map(({ count }) => count));
    const bytes = this.#isFew ? sortScratchBytes(rowsMax, partitions) : PART_BYTES * rowsMax;
    const scratch = this.#arena.allocate(bytes, 0);
    for (const { start, count, ends, rows } of stretches) {
      const bits = of.bits + BITS_BYTES * start;
      if (this.#isFew && of.isHashed) kernels.sort(bits, start, count, ends, partitions, rows, scratch);
      else if (this.#isFew) kernels.sortBits(bits, start, count, ends, partitions, rows, scratch);
      else {
        this.#arena.u32.fill(0, ends >>> 2, (ends >>> 2) + partitions);
        kernels.assign(bits, count, scratch, ends, partitions);
        kernels.order(scratch, start, count, ends, partitions, rows);
      }
    }
    this.#arena.release(scratch);
  }

  get #isFew(): boolean {
    return this.#partitions <= SORTED_PARTITIONS_MAX;
  }

  /** Where the column's bits are: in its own values, or in `out`. */
  #bitsOf(column: Column, out: Address): Address {
    const { dictionary, length } = column;
    if (dictionary === null) return this.#plainBits(column, out);
    const values = this.#arena.allocate(BITS_BYTES * dictionary.length, 0);
    try {
      const bits = this.#plainBits(dictionary, values);
      this.#kernels.lookUp(column.data, length, out, bits, column.validity);
    } finally {
      this.#arena.release(values);
    }
    return out;
  }

  #plainBits(column: Column, out: Address): Address {
    const kernels = this.#kernels;
    const { data, length, offsets } = column;
    const type = valueType(column.type);
    switch (type.kind) {
      case "int64":
      case "uint64":
      case "timestamp":
      case "duration":
        return data;
      case "null":
        this.#arena.u8.fill(0, out, out + BITS_BYTES * length);
        break;
      case "bool":
        kernels.bitsBool(data, length, out);
        break;
      case "int8":
        kernels.bits1s(data, length, out);
        break;
      case "uint8":
        kernels.bits1u(data, length, out);
        break;
      case "int16":
        kernels.bits2s(data, length, out);
        break;
      case "uint16":
        kernels.bits2u(data, length, out);
        break;
      case "int32":
      case "date32":
        kernels.bits4s(data, length, out);
        break;
      case "uint32":
        kernels.bits4u(data, length, out);
        break;
      case "float32":
        kernels.bitsF32(data, length, out);
        break;
      case "float64":
        kernels.bitsF64(data, length, out);
        break;
      case "time":
        if (type.unit === "microsecond" || type.unit === "nanosecond") return data;
        kernels.bits4s(data, length, out);
        break;
      case "decimal":
        kernels.bits16(data, length, out);
        break;
      case "utf8":
      case "largeUtf8":
      case "binary":
      case "largeBinary":
        kernels.bitsText(data, length, out, offsets);
        break;
      case "fixedSizeBinary":
        kernels.bitsWide(data, length, out, type.byteWidth);
        break;
      case "list":
      case "struct":
        throw notHashable(type);
      default:
        return unreachable(type);
    }
    return out;
  }
}

/** @throws {ShuffleError} "type" for columns whose values have no equality in SQL here */
export function checkHashKey(name: string, type: DataType): void {
  const { kind } = valueType(type);
  if (kind === "list" || kind === "struct") throw notHashable(type, name);
}

function notHashable(type: DataType, name?: string): ShuffleError {
  const what = name === undefined ? `a ${type.kind} column` : `column "${name}", a ${type.kind}`;
  return new ShuffleError(
    "type",
    `Cannot partition by ${what}: keys are numbers, times, strings and binary. Pick a field of it.`,
  );
}
