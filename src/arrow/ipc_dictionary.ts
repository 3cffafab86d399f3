import type { Address, Arena } from "./arena.ts";
import type { Column } from "./column.ts";
import { countBits } from "./copy.ts";
import type { BodyReader } from "./ipc_body.ts";
import type { WireField } from "./ipc_schema.ts";

function isValid(arena: Arena, validity: Address, row: number): boolean {
  return validity === 0 || (((arena.u8[validity + (row >>> 3)] as number) >>> (row & 7)) & 1) === 1;
}

function indexReader(source: Uint8Array, width: number, signed: boolean): (row: number) => number {
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  if (width === 8) {
    return (row) => Number(signed ? view.getBigInt64(8 * row, true) : view.getBigUint64(8 * row, true));
  }
  if (width === 4) return (row) => (signed ? view.getInt32(4 * row, true) : view.getUint32(4 * row, true));
  if (width === 2) return (row) => (signed ? view.getInt16(2 * row, true) : view.getUint16(2 * row, true));
  return (row) => (signed ? view.getInt8(row) : view.getUint8(row));
}

/** The next buffer as int32 indices, each below `valueCount`; 0 for rows that are null. */
export function loadIndices(reader: BodyReader, field: WireField, base: Column, valueCount: number): Address {
  const { indexWidth, signed } = field.dictionary ?? { indexWidth: 4, signed: true };
  const { length, validity } = base;
  const { arena } = reader;
  const read = indexReader(reader.nextBytes(field, indexWidth * length), indexWidth, signed);
  const data = reader.allocate(4 * length);
  const target = data >>> 2;
  for (let row = 0; row < length; row++) {
    const index = read(row);
    if (index >= 0 && index < valueCount) arena.i32[target + row] = index;
    else if (!isValid(arena, validity, row)) arena.i32[target + row] = 0;
    else throw reader.fail(`column "${field.name}" has index ${index} in a dictionary of ${valueCount} values`);
    if (validity !== 0 && !isValid(arena, validity, row)) arena.i32[target + row] = 0;
  }
  return data;
}

/** Rows whose dictionary value is null become null themselves: values never are. */
export function clearNullIndices(reader: BodyReader, column: Column): Column {
  const { arena } = reader;
  const dictionary = column.dictionary as Column;
  const { length } = column;
  let { validity } = column;
  if (validity === 0) {
    validity = reader.allocate((length + 7) >>> 3);
    arena.u8.fill(0xff, validity, validity + ((length + 7) >>> 3));
    if ((length & 7) !== 0) arena.u8[validity + (length >>> 3)] = (1 << (length & 7)) - 1;
  }
  // What lies where it came in is not changed: another buffer may overlap it.
  else validity = reader.copy(arena.u8.subarray(validity), (length + 7) >>> 3);
  for (let row = 0; row < length; row++) {
    const at = (column.data >>> 2) + row;
    if (isValid(arena, dictionary.validity, arena.i32[at] as number)) continue;
    arena.i32[at] = 0;
    arena.u8[validity + (row >>> 3)] = (arena.u8[validity + (row >>> 3)] as number) & ~(1 << (row & 7));
  }
  const nullCount = length - countBits(arena, validity, 0, length);
  return { ...column, validity, nullCount, dictionary: { ...dictionary, validity: 0, nullCount: 0 } };
}
