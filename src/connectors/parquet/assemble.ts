import type { Address, Arena, Column, OwnerId } from "../../arrow/mod.ts";
import { setBits } from "./fill.ts";
import type { Levels } from "./leaf.ts";
import type { ColumnShape, LeafShape, ListShape, StructShape } from "./schema.ts";

/**
 * Rebuilds lists and structs from the levels of their leaves (Dremel, Melnik et al. 2010). Every node below one list
 * has its entries at the same places of the levels: those with a repetition level of at most the node's own and a
 * definition level of at least its entry level. So each is rebuilt alone, from the levels of its first leaf.
 */
export interface LeafData {
  readonly column: Column;
  readonly levels: Levels | null;
}

export interface AssemblyContext {
  readonly arena: Arena;
  readonly owner: OwnerId;
  readonly leaves: ReadonlyMap<number, LeafData>;
  /** Blocks that the batch will own; what is made here is added. */
  readonly blocks: Address[];
}

export function assemble(shape: ColumnShape, context: AssemblyContext): Column {
  switch (shape.kind) {
    case "leaf":
      return (context.leaves.get(shape.leaf) as LeafData).column;
    case "struct":
      return assembleStruct(shape, context);
    case "list":
      return assembleList(shape, context);
  }
}

export function leavesOf(shape: ColumnShape): LeafShape[] {
  switch (shape.kind) {
    case "leaf":
      return [shape];
    case "list":
      return leavesOf(shape.item);
    case "struct":
      return shape.children.flatMap(leavesOf);
  }
}

function levelsOf(shape: ColumnShape, context: AssemblyContext): Levels {
  const leaf = leavesOf(shape)[0] as LeafShape;
  return (context.leaves.get(leaf.leaf) as LeafData).levels as Levels;
}

function assembleStruct(shape: StructShape, context: AssemblyContext): Column {
  const levels = levelsOf(shape, context);
  const present = new Uint8Array(levels.length);
  let length = 0;
  for (let i = 0; i < levels.length; i++) {
    if ((levels.repetition[i] as number) > shape.repetitionLevel) continue;
    if ((levels.definition[i] as number) < shape.entryLevel) continue;
    present[length++] = (levels.definition[i] as number) >= shape.definedLevel ? 1 : 0;
  }
  const { validity, nullCount } = validityOf(present.subarray(0, length), context);
  const children = shape.children.map((child) => assemble(child, context));
  for (const child of children)
    if (child.length !== length) throw new RangeError("columns of a struct differ in length");
  return { type: shape.type, length, nullCount, validity, offsets: 0, data: 0, children, dictionary: null };
}

function assembleList(shape: ListShape, context: AssemblyContext): Column {
  const levels = levelsOf(shape, context);
  const present = new Uint8Array(levels.length);
  const offsets = new Int32Array(levels.length + 1);
  const { item } = shape;
  let [length, items] = [0, 0];
  for (let i = 0; i < levels.length; i++) {
    const repetition = levels.repetition[i] as number;
    const definition = levels.definition[i] as number;
    if (repetition <= shape.repetitionLevel && definition >= shape.entryLevel) {
      present[length] = definition >= shape.definedLevel ? 1 : 0;
      offsets[length++] = items;
    }
    if (repetition <= item.repetitionLevel && definition >= item.entryLevel) items++;
  }
  offsets[length] = items;
  const { arena, owner, blocks } = context;
  const address = arena.allocate((length + 1) * 4, owner);
  blocks.push(address);
  arena.i32.set(offsets.subarray(0, length + 1), address >>> 2);
  const { validity, nullCount } = validityOf(present.subarray(0, length), context);
  const child = assemble(item, context);
  if (child.length !== items) throw new RangeError("a list has another number of items than its levels say");
  return {
    type: shape.type,
    length,
    nullCount,
    validity,
    offsets: address,
    data: 0,
    children: [child],
    dictionary: null,
  };
}

function validityOf(present: Uint8Array, context: AssemblyContext): { validity: Address; nullCount: number } {
  let nullCount = 0;
  for (const there of present) if (there === 0) nullCount++;
  if (nullCount === 0) return { validity: 0, nullCount };
  const bytes = (present.length + 7) >>> 3;
  const validity = context.arena.allocateZeroed(bytes, context.owner);
  context.blocks.push(validity);
  const bits = new Uint8Array(context.arena.buffer, validity, bytes);
  for (let i = 0; i < present.length; i++) if (present[i] === 1) setBits(bits, i, 1);
  return { validity, nullCount };
}
