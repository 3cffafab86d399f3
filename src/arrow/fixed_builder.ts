import { unreachable } from "../kernel/mod.ts";
import type { Address, Arena, OwnerId } from "./arena.ts";
import { type CellInput, isDateLike, MS_PER_DAY, parseDecimal, UNITS_PER_SECOND } from "./cell.ts";
import type { Column } from "./column.ts";
import { type ColumnBase, ColumnBuilder } from "./column_builder.ts";
import { Growing } from "./growing.ts";
import { byteWidth, type DataType, type IntKind } from "./types.ts";

/** Columns of one buffer with a fixed number of bytes a row. */
abstract class FixedBuilder extends ColumnBuilder {
  readonly width: number;
  readonly data: Growing;

  constructor(arena: Arena, owner: OwnerId, type: DataType) {
    super(arena, owner, type);
    this.width = byteWidth(type);
    this.data = new Growing(arena, owner);
  }

  protected override putNull(): void {
    const at = this.data.address + this.length * this.width;
    this.arena.u8.fill(0, at, at + this.width);
  }

  protected override reserve(rows: number): void {
    this.data.reserve(rows * this.width, this.length * this.width);
  }

  protected override undo(): void {}

  protected override takeColumn(base: ColumnBase, blocks: Address[]): Column {
    const data = this.data.take(base.length * this.width);
    blocks.push(data);
    return { ...base, offsets: 0, data, children: [], dictionary: null };
  }

  protected override freeBuffers(): void {
    this.data.free();
  }
}

const INT_RANGE: Partial<Record<IntKind, readonly [number, number]>> = {
  int8: [-128, 127],
  int16: [-32_768, 32_767],
  int32: [-2_147_483_648, 2_147_483_647],
  uint8: [0, 255],
  uint16: [0, 65_535],
  uint32: [0, 4_294_967_295],
};

/** A number in `min` … `max`: the value itself or a bigint of that value; NaN when it is not. */
function smallInteger(value: unknown, min: number, max: number): number {
  const number = typeof value === "bigint" ? Number(value) : value;
  return typeof number === "number" && number >= min && number <= max && Number.isInteger(number) ? number : Number.NaN;
}

/** Integers of up to 32 bits, days and times of day in them. */
class SmallIntBuilder extends FixedBuilder {
  readonly min: number;
  readonly max: number;

  constructor(arena: Arena, owner: OwnerId, type: DataType, range: readonly [number, number]) {
    super(arena, owner, type);
    [this.min, this.max] = range;
  }

  protected override put(value: NonNullable<CellInput>): boolean {
    const number = smallInteger(value, this.min, this.max);
    if (Number.isNaN(number)) return false;
    const { address } = this.data;
    if (this.width === 4) this.arena.i32[(address >>> 2) + this.length] = number;
    else if (this.width === 2) this.arena.i16[(address >>> 1) + this.length] = number;
    else this.arena.i8[address + this.length] = number;
    return true;
  }
}

class DateBuilder extends SmallIntBuilder {
  protected override put(value: NonNullable<CellInput>): boolean {
    if (!isDateLike(value)) return super.put(value);
    return super.put(Math.floor(value.getTime() / MS_PER_DAY));
  }
}

const LOW_32 = 4_294_967_296;

class Int64Builder extends FixedBuilder {
  protected override put(value: NonNullable<CellInput>): boolean {
    if (typeof value === "number") return this.putNumber(value);
    if (typeof value !== "bigint" || !this.fits(value)) return false;
    this.arena.i64[(this.data.address >>> 3) + this.length] = value;
    return true;
  }

  protected putNumber(value: number): boolean {
    if (!Number.isSafeInteger(value) || !this.fitsNumber(value)) return false;
    const at = (this.data.address >>> 2) + 2 * this.length;
    this.arena.i32[at] = value;
    this.arena.i32[at + 1] = Math.floor(value / LOW_32);
    return true;
  }

  protected fits(value: bigint): boolean {
    return BigInt.asIntN(64, value) === value;
  }

  protected fitsNumber(_value: number): boolean {
    return true;
  }
}

class Uint64Builder extends Int64Builder {
  protected override fits(value: bigint): boolean {
    return BigInt.asUintN(64, value) === value;
  }

  protected override fitsNumber(value: number): boolean {
    return value >= 0;
  }
}

class TimestampBuilder extends Int64Builder {
  readonly unitsPerSecond: number;

  constructor(arena: Arena, owner: OwnerId, type: Extract<DataType, { kind: "timestamp" }>) {
    super(arena, owner, type);
    this.unitsPerSecond = UNITS_PER_SECOND[type.unit];
  }

  protected override put(value: NonNullable<CellInput>): boolean {
    if (!isDateLike(value)) return super.put(value);
    const timeMs = value.getTime();
    if (!Number.isInteger(timeMs)) return false; // an invalid Date
    if (this.unitsPerSecond === 1) return this.putNumber(Math.floor(timeMs / 1_000));
    return super.put(BigInt(timeMs) * BigInt(this.unitsPerSecond / 1_000));
  }
}

class LongTimeBuilder extends Int64Builder {
  readonly max: bigint;

  constructor(arena: Arena, owner: OwnerId, type: Extract<DataType, { kind: "time" }>) {
    super(arena, owner, type);
    this.max = BigInt(UNITS_PER_SECOND[type.unit]) * 86_400n;
  }

  protected override fits(value: bigint): boolean {
    return value >= 0n && value <= this.max;
  }

  protected override fitsNumber(value: number): boolean {
    return value >= 0 && value <= Number(this.max);
  }
}

class FloatBuilder extends FixedBuilder {
  protected override put(value: NonNullable<CellInput>): boolean {
    let number: number;
    if (typeof value === "number") number = value;
    else if (typeof value === "bigint" && BigInt(Number(value)) === value) number = Number(value);
    else return false;
    if (this.width === 8) this.arena.f64[(this.data.address >>> 3) + this.length] = number;
    else this.arena.f32[(this.data.address >>> 2) + this.length] = number;
    return true;
  }
}

class DecimalBuilder extends FixedBuilder {
  readonly precision: number;
  readonly scale: number;

  constructor(arena: Arena, owner: OwnerId, type: Extract<DataType, { kind: "decimal" }>) {
    super(arena, owner, type);
    this.precision = type.precision;
    this.scale = type.scale;
  }

  protected override put(value: NonNullable<CellInput>): boolean {
    const text =
      typeof value === "string" ? value : typeof value === "bigint" || typeof value === "number" ? `${value}` : "";
    const unscaled = parseDecimal(text, this.precision, this.scale);
    if (unscaled === null) return false;
    const at = (this.data.address >>> 3) + 2 * this.length;
    this.arena.i64[at] = unscaled; // stores the low 64 bits
    this.arena.i64[at + 1] = unscaled >> 64n;
    return true;
  }
}

class FixedBinaryBuilder extends FixedBuilder {
  protected override put(value: NonNullable<CellInput>): boolean {
    if (!(value instanceof Uint8Array) || value.length !== this.width) return false;
    this.arena.u8.set(value, this.data.address + this.length * this.width);
    return true;
  }
}

class BoolBuilder extends ColumnBuilder {
  readonly data: Growing;

  constructor(arena: Arena, owner: OwnerId, type: DataType) {
    super(arena, owner, type);
    this.data = new Growing(arena, owner);
  }

  protected override put(value: NonNullable<CellInput>): boolean {
    if (typeof value !== "boolean") return false;
    const at = this.data.address + (this.length >>> 3);
    const bit = 1 << (this.length & 7);
    const byte = this.arena.u8[at] as number;
    this.arena.u8[at] = value ? byte | bit : byte & ~bit;
    return true;
  }

  protected override putNull(): void {
    this.put(false);
  }

  protected override reserve(rows: number): void {
    const used = this.data.address === 0 ? 0 : (this.length + 7) >>> 3;
    this.data.reserve((rows + 7) >>> 3, used);
    this.arena.u8.fill(0, this.data.address + used, this.data.address + this.data.bytes);
  }

  protected override undo(): void {
    this.put(false);
  }

  protected override takeColumn(base: ColumnBase, blocks: Address[]): Column {
    const data = this.data.take((base.length + 7) >>> 3);
    blocks.push(data);
    return { ...base, offsets: 0, data, children: [], dictionary: null };
  }

  protected override freeBuffers(): void {
    this.data.free();
  }
}

class NullBuilder extends ColumnBuilder {
  protected override put(): boolean {
    return false;
  }

  protected override putNull(): void {}
  protected override reserve(): void {}
  protected override undo(): void {
    this.nullCount--;
  }
  protected override freeBuffers(): void {}

  protected override takeColumn(base: ColumnBase): Column {
    return { ...base, offsets: 0, data: 0, children: [], dictionary: null };
  }
}

type FixedType = Exclude<
  DataType,
  { kind: "utf8" | "largeUtf8" | "binary" | "largeBinary" | "dictionary" | "list" | "struct" }
>;

/** Builder of a column without offsets and children. */
export function fixedBuilder(arena: Arena, owner: OwnerId, type: FixedType): ColumnBuilder {
  switch (type.kind) {
    case "null":
      return new NullBuilder(arena, owner, type);
    case "bool":
      return new BoolBuilder(arena, owner, type);
    case "int8":
    case "int16":
    case "int32":
    case "uint8":
    case "uint16":
    case "uint32":
      return new SmallIntBuilder(arena, owner, type, INT_RANGE[type.kind] as readonly [number, number]);
    case "date32":
      return new DateBuilder(arena, owner, type, INT_RANGE.int32 as readonly [number, number]);
    case "int64":
    case "duration":
      return new Int64Builder(arena, owner, type);
    case "uint64":
      return new Uint64Builder(arena, owner, type);
    case "timestamp":
      return new TimestampBuilder(arena, owner, type);
    case "time":
      if (byteWidth(type) === 8) return new LongTimeBuilder(arena, owner, type);
      return new SmallIntBuilder(arena, owner, type, [0, UNITS_PER_SECOND[type.unit] * 86_400]);
    case "float32":
    case "float64":
      return new FloatBuilder(arena, owner, type);
    case "decimal":
      return new DecimalBuilder(arena, owner, type);
    case "fixedSizeBinary":
      return new FixedBinaryBuilder(arena, owner, type);
    default:
      return unreachable(type);
  }
}
