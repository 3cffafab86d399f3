import type { Address } from "./arena.ts";
import type { BodyReader } from "./ipc_body.ts";
import type { WireField } from "./ipc_schema.ts";

/** Value of an IEEE 754 half-precision number. */
function halfValue(bits: number): number {
  const sign = bits >>> 15 === 1 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const fraction = bits & 1_023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1_024) * 2 ** (exponent - 15);
}

function loadHalves(reader: BodyReader, field: WireField, length: number): Address {
  const source = reader.nextBytes(field, 2 * length);
  const data = reader.allocate(4 * length);
  for (let i = 0; i < length; i++) {
    const bits = (source[2 * i] as number) | ((source[2 * i + 1] as number) << 8);
    reader.arena.f32[(data >>> 2) + i] = halfValue(bits);
  }
  return data;
}

function loadNarrowDecimals(reader: BodyReader, field: WireField, length: number, width: number): Address {
  const source = reader.nextBytes(field, width * length);
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  const data = reader.allocate(16 * length);
  const { i64 } = reader.arena;
  for (let i = 0; i < length; i++) {
    const value = width === 4 ? BigInt(view.getInt32(4 * i, true)) : view.getBigInt64(8 * i, true);
    i64[(data >>> 3) + 2 * i] = value;
    i64[(data >>> 3) + 2 * i + 1] = value < 0n ? -1n : 0n;
  }
  return data;
}

/** Values of fixed width, widened where the arena's layout is wider. */
export function loadFixed(reader: BodyReader, field: WireField, length: number): Address {
  const { layout } = field;
  if (layout.kind === "half") return loadHalves(reader, field, length);
  if (layout.kind === "narrowDecimal") return loadNarrowDecimals(reader, field, length, layout.width);
  return reader.nextInArena(field, layout.kind === "fixed" ? layout.width * length : 0);
}
