import {
  type Address,
  type Arena,
  type Column,
  type DataType,
  type OwnerId,
  parseDecimal,
  type TimeUnit,
} from "../../arrow/mod.ts";
import { floatResult, parseBigInteger, parseFloat64, parseSmallInteger } from "../parse_number.ts";
import { clock, clockInstant, clockOfDay, parseClock, parseDate, parseTimestamp } from "../parse_time.ts";
import { isUtf8 } from "../utf8.ts";
import type { Dialect } from "./dialect.ts";
import { numberKernels, STATE_DONE, STATE_EMPTY } from "./kernels.ts";
import { END_MASK, ESCAPED, type FieldTable, unescapeField } from "./rows.ts";

/**
 * Fields of one column into the arena. Rows whose field does not fit go to `bad`; the caller drops them from the table
 * and converts again.
 */
export interface ConvertContext {
  readonly arena: Arena;
  readonly owner: OwnerId;
  readonly bytes: Uint8Array;
  readonly table: FieldTable;
  readonly dialect: Dialect;
  readonly bad: number[];
  /** What is allocated is added. */
  readonly blocks: Address[];
}

export function convertColumn(context: ConvertContext, index: number, type: DataType): Column {
  if (context.dialect.nulls.length > 0) markNulls(context, index);
  switch (type.kind) {
    case "utf8":
    case "largeUtf8":
      return convertText(context, index, { type, checked: true });
    case "binary":
    case "largeBinary":
      return convertText(context, index, { type, checked: false });
    case "bool":
      return convertBools(context, index, type);
    case "float64":
      return convertFloats(context, index, type);
    case "int64":
      return convertLongs(context, index, type);
    case "null":
      return nullColumn(context, index, type);
    default:
      return convertOthers(context, index, type);
  }
}

/** Types that a CSV file can be read as. */
export function isCsvType(type: DataType): boolean {
  return !["list", "struct", "dictionary", "fixedSizeBinary"].includes(type.kind);
}

/** Unquoted fields that are a null marker get a start of -1. */
function markNulls(context: ConvertContext, index: number): void {
  const { bytes, table, dialect } = context;
  const { starts, ends, width, rows } = table;
  for (let r = 0, at = index; r < rows; r++, at += width) {
    const start = starts[at] as number;
    const length = (ends[at] as number) - start;
    for (const marker of dialect.nulls) {
      if (length !== marker.length) continue;
      let i = 0;
      while (i < length && bytes[start + i] === marker[i]) i++;
      if (i === length) starts[at] = -1;
    }
  }
}

/** Validity built while converting; has no block while nothing is null. */
class Nulls {
  count = 0;
  address: Address = 0;
  private bits: Uint8Array = new Uint8Array(0);
  private readonly context: ConvertContext;

  constructor(context: ConvertContext) {
    this.context = context;
  }

  add(row: number): void {
    if (this.address === 0) {
      const { arena, owner, table, blocks } = this.context;
      const bytes = (table.rows + 7) >>> 3;
      this.address = arena.allocate(bytes, owner);
      blocks.push(this.address);
      this.bits = new Uint8Array(arena.buffer, this.address, bytes).fill(255);
    }
    this.count++;
    this.bits[row >>> 3] = (this.bits[row >>> 3] as number) & ~(1 << (row & 7));
  }
}

function allocate(context: ConvertContext, bytes: number): Address {
  const address = context.arena.allocate(bytes, context.owner);
  context.blocks.push(address);
  return address;
}

function column(type: DataType, length: number, parts: { nulls: Nulls; data: Address; offsets?: Address }): Column {
  const { nulls, data, offsets = 0 } = parts;
  return {
    type,
    length,
    nullCount: nulls.count,
    validity: nulls.address,
    offsets,
    data,
    children: [],
    dictionary: null,
  };
}

function nullColumn(context: ConvertContext, index: number, type: DataType): Column {
  const { table, dialect, bad } = context;
  for (let r = 0, at = index; r < table.rows; r++, at += table.width) {
    const start = table.starts[at] as number;
    if (!(start < 0 || (start === table.ends[at] && dialect.emptyIsNull))) bad.push(r);
  }
  const length = table.rows;
  return { type, length, nullCount: length, validity: 0, offsets: 0, data: 0, children: [], dictionary: null };
}

function convertText(context: ConvertContext, index: number, what: { type: DataType; checked: boolean }): Column {
  const { arena, bytes, table, dialect, bad } = context;
  const { starts, ends, width, rows } = table;
  const { emptyIsNull } = dialect;
  let total = 0;
  for (let r = 0, at = index; r < rows; r++, at += width) {
    const start = starts[at] as number;
    if (start >= 0) total += ((ends[at] as number) & END_MASK) - start;
  }
  const nulls = new Nulls(context);
  const offsetsAt = allocate(context, (rows + 1) * 4);
  const data = allocate(context, total);
  const offsets = new Int32Array(arena.buffer, offsetsAt, rows + 1);
  const heap = new Uint8Array(arena.buffer, data, total);
  let written = 0;
  offsets[0] = 0;
  for (let r = 0, at = index; r < rows; r++, at += width) {
    const start = starts[at] as number;
    const flagged = ends[at] as number;
    if (start < 0 || (start === flagged && emptyIsNull)) nulls.add(r);
    else if ((flagged & ESCAPED) !== 0) {
      const text = unescapeField(bytes, start, flagged & END_MASK, dialect);
      heap.set(text, written);
      written += text.length;
      if (what.checked && !isUtf8(text)) bad.push(r);
    } else {
      const end = flagged & END_MASK;
      let all = 0;
      for (let i = start; i < end; i++) {
        const byte = bytes[i] as number;
        all |= byte;
        heap[written++] = byte;
      }
      if (all > 127 && what.checked && !isUtf8(bytes, start, end)) bad.push(r);
    }
    offsets[r + 1] = written;
  }
  return column(what.type, rows, { nulls, data, offsets: offsetsAt });
}

function convertBools(context: ConvertContext, index: number, type: DataType): Column {
  const { arena, bytes, table, dialect, bad, owner } = context;
  const { starts, ends, width, rows } = table;
  const nulls = new Nulls(context);
  const data = arena.allocateZeroed((rows + 7) >>> 3, owner);
  context.blocks.push(data);
  const bits = new Uint8Array(arena.buffer, data, (rows + 7) >>> 3);
  for (let r = 0, at = index; r < rows; r++, at += width) {
    const start = starts[at] as number;
    const flagged = ends[at] as number;
    if (start < 0 || (start === flagged && dialect.emptyIsNull)) nulls.add(r);
    else {
      const value = parseBool(bytes, start, flagged & END_MASK);
      if (value < 0) bad.push(r);
      else bits[r >>> 3] = (bits[r >>> 3] as number) | (value << (r & 7));
    }
  }
  return column(type, rows, { nulls, data });
}

/** `true`, `false`, `t`, `f` in any case, `1`, `0`; -1 for other text. */
export function parseBool(bytes: Uint8Array, start: number, end: number): number {
  const first = (bytes[start] as number) | 32;
  if (end - start === 1)
    return first === 116 || bytes[start] === 49 ? 1 : first === 102 || bytes[start] === 48 ? 0 : -1;
  const word = end - start === 4 ? "true" : end - start === 5 ? "false" : "";
  if (word === "") return -1;
  for (let i = 0; i < word.length; i++) if (((bytes[start + i] as number) | 32) !== word.charCodeAt(i)) return -1;
  return word === "true" ? 1 : 0;
}

function convertFloats(context: ConvertContext, index: number, type: DataType): Column {
  const { arena, bytes } = context;
  const data = allocate(context, context.table.rows * 8);
  const values = new Float64Array(arena.buffer, data, context.table.rows);
  return convertNumbers(context, index, {
    type,
    data,
    kernel: "doubles",
    slow: (row, start, end) => {
      values[row] = parseFloat64(bytes, start, end);
      return !floatResult.failed;
    },
  });
}

function convertLongs(context: ConvertContext, index: number, type: DataType): Column {
  const { arena, bytes } = context;
  const data = allocate(context, context.table.rows * 8);
  const values = new BigInt64Array(arena.buffer, data, context.table.rows);
  return convertNumbers(context, index, {
    type,
    data,
    kernel: "longs",
    slow: (row, start, end) => {
      const value = parseBigInteger(bytes, start, end);
      if (value === null || BigInt.asIntN(64, value) !== value) return false;
      values[row] = value;
      return true;
    },
  });
}

interface Numbers {
  readonly type: DataType;
  readonly data: Address;
  readonly kernel: "longs" | "doubles";
  /** For what the kernel leaves. */
  readonly slow: Store;
}

function convertNumbers(context: ConvertContext, index: number, numbers: Numbers): Column {
  const { arena, owner, bytes, table, dialect, bad } = context;
  const { starts, ends, width, rows } = table;
  const { type, data, slow } = numbers;
  const nulls = new Nulls(context);
  const statesAt = arena.allocate(rows, owner);
  try {
    const at = index * 4;
    const parse = numberKernels(arena)[numbers.kernel];
    const left = parse(bytes.byteOffset, starts.byteOffset + at, ends.byteOffset + at, width * 4, rows, data, statesAt);
    if (left === STATE_DONE) return column(type, rows, { nulls, data });
    const states = new Uint8Array(arena.buffer, statesAt, rows);
    for (let r = 0; r < rows; r++) {
      const state = states[r];
      if (state === STATE_DONE) continue;
      const field = r * width + index;
      const start = starts[field] as number;
      if (state === STATE_EMPTY && (start < 0 || dialect.emptyIsNull)) nulls.add(r);
      else if (!slow(r, start, (ends[field] as number) & END_MASK)) bad.push(r);
    }
    return column(type, rows, { nulls, data });
  } finally {
    arena.release(statesAt);
  }
}

type Store = (row: number, start: number, end: number) => boolean;

function convertOthers(context: ConvertContext, index: number, type: DataType): Column {
  const { table, dialect, bad, arena, owner } = context;
  const { starts, ends, width, rows } = table;
  const nulls = new Nulls(context);
  const data = arena.allocateZeroed(rows * 16, owner);
  context.blocks.push(data);
  const store = storeFor(context, type, data);
  for (let r = 0, at = index; r < rows; r++, at += width) {
    const start = starts[at] as number;
    const flagged = ends[at] as number;
    if (start < 0 || (start === flagged && dialect.emptyIsNull)) nulls.add(r);
    else if (!store(r, start, flagged & END_MASK)) bad.push(r);
  }
  return column(type, rows, { nulls, data });
}

const INTEGER_RANGES = {
  int8: [-128, 127],
  int16: [-32768, 32767],
  int32: [-2147483648, 2147483647],
  uint8: [0, 255],
  uint16: [0, 65535],
  uint32: [0, 4294967295],
} as const;

/** Parses one field and stores it; false when it does not fit the type. */
function storeFor(context: ConvertContext, type: DataType, data: Address): Store {
  const { arena, bytes } = context;
  const rows = context.table.rows;
  const big = new BigInt64Array(arena.buffer, data, rows * 2);
  const putBig = (row: number, value: bigint | null): boolean => {
    if (value === null) return false;
    big[row] = value;
    return true;
  };
  switch (type.kind) {
    case "int8":
    case "uint8":
    case "int16":
    case "uint16":
    case "int32":
    case "uint32":
      return storeInteger(bytes, integerView(arena, type.kind, data, rows), INTEGER_RANGES[type.kind]);
    case "uint64":
      return (row, start, end) => {
        const value = parseBigInteger(bytes, start, end);
        return putBig(row, value !== null && BigInt.asUintN(64, value) === value ? BigInt.asIntN(64, value) : null);
      };
    case "duration":
      return (row, start, end) => {
        const value = parseBigInteger(bytes, start, end);
        return putBig(row, value !== null && BigInt.asIntN(64, value) === value ? value : null);
      };
    case "float32": {
      const values = new Float32Array(arena.buffer, data, rows);
      return (row, start, end) => {
        values[row] = parseFloat64(bytes, start, end);
        return !floatResult.failed;
      };
    }
    case "date32": {
      const values = new Int32Array(arena.buffer, data, rows);
      return (row, start, end) => {
        const days = parseDate(bytes, start, end);
        values[row] = days;
        return !Number.isNaN(days);
      };
    }
    case "timestamp":
      return (row, start, end) => putBig(row, timestampOf(bytes, { start, end, type }));
    case "time":
      return storeTime(context, type.unit, data);
    case "decimal": {
      const latin = new TextDecoder("latin1");
      return (row, start, end) => {
        const value = parseDecimal(latin.decode(bytes.slice(start, end)), type.precision, type.scale);
        if (value === null) return false;
        big[2 * row] = BigInt.asIntN(64, value);
        big[2 * row + 1] = value >> 64n;
        return true;
      };
    }
    default:
      return () => false;
  }
}

type Timestamp = Extract<DataType, { kind: "timestamp" }>;

function timestampOf(bytes: Uint8Array, field: { start: number; end: number; type: Timestamp }): bigint | null {
  const { unit, timezone } = field.type;
  if (!parseTimestamp(bytes, field.start, field.end)) return null;
  // Wall time and instants are not the same thing: only UTC may be left out.
  if (timezone === null ? clock.zoned : !clock.zoned && timezone !== "UTC") return null;
  return clockInstant(unit);
}

function storeTime(context: ConvertContext, unit: TimeUnit, data: Address): Store {
  const { arena, bytes, table } = context;
  const small = unit === "second" || unit === "millisecond";
  const values = new Int32Array(arena.buffer, data, table.rows);
  const big = new BigInt64Array(arena.buffer, data, table.rows);
  return (row, start, end) => {
    const value = parseClock(bytes, start, end) ? clockOfDay(unit) : Number.NaN;
    if (Number.isNaN(value)) return false;
    if (small) values[row] = value;
    else big[row] = BigInt(value);
    return true;
  };
}

type IntegerView = Int8Array | Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;

function integerView(arena: Arena, kind: keyof typeof INTEGER_RANGES, data: Address, rows: number): IntegerView {
  switch (kind) {
    case "int8":
      return new Int8Array(arena.buffer, data, rows);
    case "uint8":
      return new Uint8Array(arena.buffer, data, rows);
    case "int16":
      return new Int16Array(arena.buffer, data, rows);
    case "uint16":
      return new Uint16Array(arena.buffer, data, rows);
    case "int32":
      return new Int32Array(arena.buffer, data, rows);
    case "uint32":
      return new Uint32Array(arena.buffer, data, rows);
  }
}

function storeInteger(bytes: Uint8Array, values: IntegerView, range: readonly [number, number]): Store {
  const [least, most] = range;
  return (row, start, end) => {
    let value = parseSmallInteger(bytes, start, end);
    if (Number.isNaN(value)) value = Number(parseBigInteger(bytes, start, end) ?? Number.NaN);
    if (!(value >= least && value <= most)) return false;
    values[row] = value;
    return true;
  };
}
