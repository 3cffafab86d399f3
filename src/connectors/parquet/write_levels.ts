import type { Arena, Column } from "../../arrow/mod.ts";
import { writeVarint } from "./thrift.ts";
import type { WriteLeaf, WriteNode } from "./write_schema.ts";

/**
 * Takes columns apart into leaves with levels. A slot is one entry on its way down: its levels so far and its row in the
 * column at hand, -1 once a null or an empty list ended it.
 */
interface Slots {
  readonly definition: Uint8Array;
  readonly repetition: Uint8Array;
  readonly rows: Int32Array;
}

export interface LeafSlots {
  readonly leaf: WriteLeaf;
  readonly column: Column;
  readonly definition: Uint8Array;
  readonly repetition: Uint8Array;
  /** Rows of `column` that have a value. */
  readonly values: Int32Array;
}

/** Rows start … end of a top-level column. */
export function shred(
  arena: Arena,
  node: WriteNode,
  column: Column,
  range: { start: number; end: number },
): LeafSlots[] {
  const count = range.end - range.start;
  const rows = new Int32Array(count);
  for (let i = 0; i < count; i++) rows[i] = range.start + i;
  const leaves: LeafSlots[] = [];
  descend(arena, node, {
    column,
    slots: { definition: new Uint8Array(count), repetition: new Uint8Array(count), rows },
    leaves,
  });
  return leaves;
}

interface Step {
  readonly column: Column;
  readonly slots: Slots;
  readonly leaves: LeafSlots[];
}

function descend(arena: Arena, node: WriteNode, step: Step): void {
  const { column, leaves } = step;
  const slots = node.nullable ? dropNulls(arena, column, step.slots) : step.slots;
  if (node.kind === "leaf") {
    const present = node.type.kind === "null" ? new Int32Array(0) : slots.rows.filter((row) => row >= 0);
    leaves.push({ leaf: node, column, definition: slots.definition, repetition: slots.repetition, values: present });
  } else if (node.kind === "struct") {
    node.children.forEach((child, i) => descend(arena, child, { column: column.children[i] as Column, slots, leaves }));
  } else {
    const [child] = node.children;
    const items = expand(arena, column, slots, node.repetitionLevel + 1);
    descend(arena, child as WriteNode, { column: column.children[0] as Column, slots: items, leaves });
  }
}

/** One level more where there is a value; the others end here. */
function dropNulls(arena: Arena, column: Column, slots: Slots): Slots {
  const definition = slots.definition.slice();
  const rows = slots.rows.slice();
  const isNull = column.type.kind === "null";
  const bits = column.validity === 0 ? null : new Uint8Array(arena.buffer, column.validity, (column.length + 7) >>> 3);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    if (row < 0) continue;
    const there = !isNull && (bits === null || (((bits[row >>> 3] as number) >>> (row & 7)) & 1) === 1);
    if (there) definition[i] = (definition[i] as number) + 1;
    else rows[i] = -1;
  }
  return { definition, repetition: slots.repetition, rows };
}

function expand(arena: Arena, column: Column, slots: Slots, level: number): Slots {
  const offsets = new Int32Array(arena.buffer, column.offsets, column.length + 1);
  const lengthOf = (row: number) => (row < 0 ? 0 : (offsets[row + 1] as number) - (offsets[row] as number));
  let total = 0;
  for (let i = 0; i < slots.rows.length; i++) total += Math.max(1, lengthOf(slots.rows[i] as number));
  const out = { definition: new Uint8Array(total), repetition: new Uint8Array(total), rows: new Int32Array(total) };
  let at = 0;
  for (let i = 0; i < slots.rows.length; i++) {
    const row = slots.rows[i] as number;
    const length = lengthOf(row);
    for (let k = 0; k < Math.max(1, length); k++) {
      out.definition[at] = (slots.definition[i] as number) + (length > 0 ? 1 : 0);
      out.repetition[at] = k === 0 ? (slots.repetition[i] as number) : level;
      out.rows[at++] = length > 0 ? (offsets[row] as number) + k : -1;
    }
  }
  return out;
}

/** RLE / bit-packing hybrid: one repeated run when all are equal, else one packed run. */
export function encodeHybrid(values: Uint8Array | Int32Array, bitWidth: number): Uint8Array {
  const header: number[] = [];
  const { length } = values;
  let same = true;
  for (let i = 1; i < length && same; i++) same = values[i] === values[0];
  if (same) {
    writeVarint(header, length * 2);
    for (let b = 0; b < bitWidth; b += 8) header.push(((values[0] as number) >>> b) & 255);
    return Uint8Array.from(header);
  }
  const groups = (length + 7) >>> 3;
  writeVarint(header, groups * 2 + 1);
  const out = new Uint8Array(header.length + groups * bitWidth);
  out.set(header);
  let bit = header.length * 8;
  for (let i = 0; i < length; i++) {
    let rest = values[i] as number;
    for (let left = bitWidth; left > 0; ) {
      const shift = bit & 7;
      const take = Math.min(8 - shift, left);
      out[bit >>> 3] = (out[bit >>> 3] as number) | ((rest & ((1 << take) - 1)) << shift);
      rest >>>= take;
      left -= take;
      bit += take;
    }
  }
  return out;
}
