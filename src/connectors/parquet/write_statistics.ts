import type { DataType } from "../../arrow/mod.ts";
import { compareBytes } from "../bytes.ts";
import type { ThriftFields } from "./thrift.ts";

/** Least and greatest value of a column chunk, from PLAIN values, in the column's order; texts only while short. */
export class ColumnStatistics {
  nullCount = 0;
  private readonly order: Order | null;
  private least: Uint8Array | null = null;
  private greatest: Uint8Array | null = null;
  /** A NaN, or a long text, makes them unknown. */
  private unknown = false;

  constructor(type: DataType) {
    this.order = orderOf(type);
  }

  add(plain: Uint8Array): void {
    const { order } = this;
    if (order === null || this.unknown || plain.length === 0) return;
    const found = order(plain);
    if (found === null) this.unknown = true;
    else {
      if (this.least === null || compare(order, found.least, this.least) < 0) this.least = found.least;
      if (this.greatest === null || compare(order, found.greatest, this.greatest) > 0) this.greatest = found.greatest;
    }
  }

  fields(): ThriftFields {
    const nulls: ThriftFields = [[3, { i64: this.nullCount }]];
    if (this.unknown || this.least === null || this.greatest === null) return nulls;
    return [...nulls, [5, { bytes: this.greatest }], [6, { bytes: this.least }]];
  }
}

interface Extremes {
  readonly least: Uint8Array;
  readonly greatest: Uint8Array;
}

type Order = (plain: Uint8Array) => Extremes | null;

/** -1 when a is less: the least of both is found by the order itself. */
function compare(order: Order, a: Uint8Array, b: Uint8Array): number {
  if (order === textOrder) return compareBytes(a, b);
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  const found = order(both);
  if (found === null || equal(a, b)) return 0;
  return equal(found.least, a) ? -1 : 1;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function orderOf(type: DataType): Order | null {
  switch (type.kind) {
    case "int8":
    case "int16":
    case "int32":
    case "date32":
      return numbers((plain) => new Int32Array(plain.buffer, plain.byteOffset, plain.length >>> 2), 4);
    case "uint8":
    case "uint16":
    case "uint32":
      return numbers((plain) => new Uint32Array(plain.buffer, plain.byteOffset, plain.length >>> 2), 4);
    case "time":
      return type.unit === "second" || type.unit === "millisecond"
        ? numbers((plain) => new Int32Array(plain.buffer, plain.byteOffset, plain.length >>> 2), 4)
        : longs;
    case "int64":
    case "timestamp":
      return longs;
    case "uint64":
      return unsignedLongs;
    case "float32":
      return numbers((plain) => new Float32Array(plain.buffer, plain.byteOffset, plain.length >>> 2), 4);
    case "float64":
      return numbers((plain) => new Float64Array(plain.buffer, plain.byteOffset, plain.length >>> 3), 8);
    case "utf8":
    case "largeUtf8":
      return textOrder;
    default:
      return null;
  }
}

type NumberView = Int32Array | Uint32Array | Float32Array | Float64Array;

function numbers(viewOf: (plain: Uint8Array) => NumberView, width: number): Order {
  return (plain) => {
    const values = viewOf(plain);
    let least = values[0] as number;
    let greatest = least;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (Number.isNaN(value)) return null;
      if (value < least) least = value;
      if (value > greatest) greatest = value;
    }
    // Zeros have two signs that compare equal: the bounds take both in.
    const out = viewOf(new Uint8Array(2 * width));
    const isFloat = out instanceof Float32Array || out instanceof Float64Array;
    out[0] = isFloat && least === 0 ? -0 : least;
    out[1] = greatest === 0 ? 0 : greatest;
    const bytes = new Uint8Array(out.buffer);
    return { least: bytes.slice(0, width), greatest: bytes.slice(width) };
  };
}

function longs(plain: Uint8Array): Extremes {
  const values = new BigInt64Array(plain.buffer, plain.byteOffset, plain.length >>> 3);
  let least = values[0] as bigint;
  let greatest = least;
  for (let i = 1; i < values.length; i++) {
    const value = values[i] as bigint;
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  return longBytes(least, greatest);
}

function unsignedLongs(plain: Uint8Array): Extremes {
  const values = new BigUint64Array(plain.buffer, plain.byteOffset, plain.length >>> 3);
  let least = values[0] as bigint;
  let greatest = least;
  for (let i = 1; i < values.length; i++) {
    const value = values[i] as bigint;
    if (value < least) least = value;
    if (value > greatest) greatest = value;
  }
  return longBytes(least, greatest);
}

function longBytes(least: bigint, greatest: bigint): Extremes {
  const bytes = new Uint8Array(new BigInt64Array([BigInt.asIntN(64, least), BigInt.asIntN(64, greatest)]).buffer);
  return { least: bytes.slice(0, 8), greatest: bytes.slice(8) };
}

const TEXT_BYTES_MAX = 64;

/** Over length-prefixed values; null when one is too long to be kept. */
function textOrder(plain: Uint8Array): Extremes | null {
  const view = new DataView(plain.buffer, plain.byteOffset, plain.byteLength);
  let least: Uint8Array | null = null;
  let greatest: Uint8Array | null = null;
  for (let at = 0; at < plain.length; ) {
    const length = view.getUint32(at, true);
    if (length > TEXT_BYTES_MAX) return null;
    const value = plain.subarray(at + 4, at + 4 + length);
    if (least === null || compareBytes(value, least) < 0) least = value;
    if (greatest === null || compareBytes(value, greatest) > 0) greatest = value;
    at += 4 + length;
  }
  return least === null || greatest === null ? null : { least: least.slice(), greatest: greatest.slice() };
}
