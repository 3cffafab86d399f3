import { type Address, type Arena, type Batch, type Column, type DataType, valueType } from "../../arrow/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import { ShuffleError } from "../error.ts";
import { type PartitionKernels, partitionKernels } from "./kernels.ts";
import type { Router } from "./router.ts";

const BITS_BYTES = 8;

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

  route(batch: Batch, to: { readonly parts: Address; readonly histogram: Address }): void {
    const { rowCount } = batch;
    const scratch = this.#arena.allocate(2 * BITS_BYTES * rowCount, 0);
    const bits = scratch + BITS_BYTES * rowCount;
    const partitions = this.#partitions;
    try {
      if (this.#keys.length === 1) {
        const column = batch.columns[this.#keys[0] as number] as Column;
        const at = this.#bitsOf(column, bits);
        this.#kernels.assignBits(at, rowCount, to.parts, to.histogram, partitions, column.validity);
        return;
      }
      this.#keys.forEach((key, i) => {
        const column = batch.columns[key] as Column;
        const at = this.#bitsOf(column, bits);
        this.#kernels.mixIn(at, rowCount, scratch, column.validity, i === 0 ? 1 : 0);
      });
      this.#kernels.assign(scratch, rowCount, to.parts, to.histogram, partitions);
    } finally {
      this.#arena.release(scratch);
    }
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
