/**
 * Columns of many batches as code finds them: a table for each column with an entry for each batch. Rows of any batch
 * can be read by (batch, row), whatever form the column has there.
 */
import type { DataType } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import { type Expr, f32, f64, i32, i64, type Local } from "../../wasm/mod.ts";
import { bitAt, elementAt } from "../column_load.ts";
import { reprOf, type Value, type ValueParts } from "../value.ts";
import type { Code } from "./word_code.ts";
import { pieceBits } from "./words.ts";

/** Byte offsets in a table's entry: addresses of the column's buffers in one batch. */
export const ColumnEntry = {
  validity: 0,
  offsets: 4,
  data: 8,
  dictionaryOffsets: 12,
  dictionaryData: 16,
  /** 1 when the column is dictionary-encoded in this batch. */
  encoded: 20,
  bytes: 32,
} as const;

export type Encoding = "plain" | "dictionary" | "mixed";

export interface ColumnShape {
  readonly type: DataType;
  readonly nullable: boolean;
  readonly encoding: Encoding;
}

/** Emits the load of the column's value at `row` of the batch whose table entry is at `entry`; both locals. */
export function loadCell(code: Code, shape: ColumnShape, at: { entry: Local<"i32">; row: Local<"i32"> }): Value {
  const { type } = shape;
  const isNull = shape.nullable ? nullOf(code, at) : null;
  if (type.kind === "null") return { type, isNull: i32.const(1), repr: "i32", value: i32.const(0) };
  return { type, isNull, ...cellParts(code, shape, { ...locate(code, shape, at), isNull }) };
}

function nullOf(code: Code, at: { entry: Local<"i32">; row: Local<"i32"> }): Local<"i32"> {
  const isNull = code.local("i32", "isNull");
  const bitmap = code.local("i32", "bitmap");
  code.set(bitmap, i32.load(at.entry, ColumnEntry.validity));
  code.set(isNull, i32.const(0));
  code.if(bitmap, () => code.set(isNull, i32.eqz(bitAt(bitmap, at.row))));
  return isNull;
}

interface Location {
  readonly index: Local<"i32">;
  readonly data: Local<"i32">;
  readonly offsets: Local<"i32">;
}

/** Where the value is: in the column itself or in its dictionary. */
function locate(code: Code, shape: ColumnShape, at: { entry: Local<"i32">; row: Local<"i32"> }): Location {
  const index = code.local("i32", "index");
  const data = code.local("i32", "data");
  const offsets = code.local("i32", "offsets");
  const hasOffsets = pieceBits(shape.type) === null && shape.type.kind !== "fixedSizeBinary";
  const plain = () => {
    code.set(index, at.row);
    code.set(data, i32.load(at.entry, ColumnEntry.data));
    if (hasOffsets) code.set(offsets, i32.load(at.entry, ColumnEntry.offsets));
  };
  const encoded = () => {
    code.set(index, i32.load(elementAt(i32.load(at.entry, ColumnEntry.data), at.row, 2)));
    code.set(data, i32.load(at.entry, ColumnEntry.dictionaryData));
    if (hasOffsets) code.set(offsets, i32.load(at.entry, ColumnEntry.dictionaryOffsets));
  };
  if (shape.encoding === "plain") plain();
  else if (shape.encoding === "dictionary") encoded();
  else code.if(i32.load(at.entry, ColumnEntry.encoded), encoded, plain);
  return { index, data, offsets };
}

function cellParts(code: Code, shape: ColumnShape, where: Location & { isNull: Expr<"i32"> | null }): ValueParts {
  const { type } = shape;
  const at = (shift: number) => elementAt(where.data, where.index, shift);
  switch (reprOf(type)) {
    case "i32": {
      const value = code.local("i32", "value");
      code.set(value, load32(type, where));
      return { repr: "i32", value };
    }
    case "i64": {
      const value = code.local("i64", "value");
      code.set(value, i64.load(at(3)));
      return { repr: "i64", value };
    }
    case "f32": {
      const value = code.local("f32", "value");
      code.set(value, f32.load(at(2)));
      return { repr: "f32", value };
    }
    case "f64": {
      const value = code.local("f64", "value");
      code.set(value, f64.load(at(3)));
      return { repr: "f64", value };
    }
    case "i128": {
      const low = code.local("i64", "low");
      const high = code.local("i64", "high");
      code.set(low, i64.load(at(4)));
      code.set(high, i64.load(at(4), 8));
      return { repr: "i128", low, high };
    }
    case "bytes":
      return bytesParts(code, type, where);
  }
}

function load32(type: DataType, { data, index }: Location): Expr<"i32"> {
  switch (type.kind) {
    case "bool":
      return bitAt(data, index);
    case "int8":
      return i32.load8_s(elementAt(data, index, 0));
    case "uint8":
      return i32.load8_u(elementAt(data, index, 0));
    case "int16":
      return i32.load16_s(elementAt(data, index, 1));
    case "uint16":
      return i32.load16_u(elementAt(data, index, 1));
    default:
      return i32.load(elementAt(data, index, 2));
  }
}

/** Null rows have no bytes: a dictionary of nulls only has no buffers to look into. */
function bytesParts(code: Code, type: DataType, where: Location & { isNull: Expr<"i32"> | null }): ValueParts {
  const address = code.local("i32", "address");
  const bytes = code.local("i32", "bytes");
  const load = () => {
    if (type.kind === "fixedSizeBinary") {
      code.set(bytes, i32.const(type.byteWidth));
      code.set(address, i32.add(where.data, i32.mul(where.index, type.byteWidth)));
      return;
    }
    invariant(pieceBits(type) === null, "a byte string");
    const entry = code.local("i32", "entry");
    code.set(entry, elementAt(where.offsets, where.index, 2));
    code.set(address, i32.load(entry));
    code.set(bytes, i32.sub(i32.load(entry, 4), address));
    code.set(address, i32.add(address, where.data));
  };
  if (where.isNull === null) load();
  else {
    code.set(address, i32.const(0));
    code.set(bytes, i32.const(0));
    code.if(where.isNull, () => {}, load);
  }
  return { repr: "bytes", address, bytes };
}
