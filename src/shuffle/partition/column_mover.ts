import {
  type Address,
  type Batch,
  blockAt,
  bufferAddresses,
  byteWidth,
  type Column,
  concatColumns,
  type DataType,
  gatherColumn,
  isVariableWidth,
} from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import { ShuffleError } from "../error.ts";
import { type PartBuffer, type ScatterContext, withTables } from "./layout.ts";
import type { RoutedBatch, Stretch } from "./router.ts";

/** Moves one column. Its buffers are wanted of the layout when it is made, and filled by `move`. */
export interface Mover {
  move(): void;
  /** The column of a partition that has rows. */
  column(partition: number): Column;
}

type Columns = readonly Column[];

/** @param columns the same column of each batch of the group */
export function planColumn(context: ScatterContext, columns: Columns): Mover {
  const [first] = columns;
  invariant(first !== undefined, "a group has a batch");
  const { type } = first;
  const encodedCount = columns.filter(({ dictionary }) => dictionary !== null).length;
  if (encodedCount > 0 && keepsDictionary(context, columns)) return encodedMover(context, columns, first);
  if (isVariableWidth(type) && columns.every(isTextInside)) return textMover(context, columns, type);
  if (encodedCount > 0) return gatheredMover(context, columns);
  switch (type.kind) {
    case "null":
      return { move: () => undefined, column: (p) => nullColumn(type, context.counts[p] as number) };
    case "list":
      return gatheredMover(context, columns);
    case "struct":
      return structMover(context, columns, type);
    case "bool":
      return boolMover(context, columns, type);
    default:
      return fixedMover(context, columns, type, byteWidth(type));
  }
}

function isTextInside({ dictionary }: Column): boolean {
  return dictionary === null || (isVariableWidth(dictionary.type) && dictionary.dictionary === null);
}

const NO_PARTS = { offsets: 0, children: [], dictionary: null } as const;

function nullColumn(type: DataType, length: number): Column {
  return { type, length, nullCount: length, validity: 0, data: 0, ...NO_PARTS };
}

function sameDictionary(columns: Columns): boolean {
  const [first] = columns;
  return columns.every(
    ({ dictionary }) =>
      dictionary !== null &&
      dictionary.data === first?.dictionary?.data &&
      dictionary.length === first.dictionary.length,
  );
}

/** A dictionary goes with every partition: it is kept where it is small beside the rows, or where the type wants one. */
function keepsDictionary(context: ScatterContext, columns: Columns): boolean {
  const [first] = columns;
  if (first === undefined || !sameDictionary(columns)) return false;
  if (first.type.kind === "dictionary" || !isVariableWidth(first.type)) return true;
  const rows = columns.reduce((sum, { length }) => sum + length, 0);
  return (first.dictionary?.length ?? 0) <= rows / context.partitions;
}

/** Bitmaps of values that are present; no column that has no nulls gets one. */
class ValidityMover {
  readonly #context: ScatterContext;
  readonly #columns: Columns;
  readonly #buffer: PartBuffer | null;
  readonly #nullCounts: Uint32Array;

  constructor(context: ScatterContext, columns: Columns) {
    const { counts, partitions } = context;
    this.#context = context;
    this.#columns = columns;
    const hasNulls = columns.some(({ validity, nullCount }) => validity !== 0 && nullCount > 0);
    this.#buffer = hasNulls
      ? context.layout.buffer((p) => ((counts[p] as number) + 7) >>> 3, { isZeroed: true })
      : null;
    this.#nullCounts = new Uint32Array(partitions);
  }

  move(): void {
    if (this.#buffer === null) return;
    moveBits(this.#context, this.#buffer, { bitmaps: this.#columns.map((c) => c.validity), zeros: this.#nullCounts });
  }

  of(partition: number): Pick<Column, "validity" | "nullCount"> {
    const nullCount = this.#nullCounts[partition] as number;
    return { nullCount, validity: nullCount === 0 ? 0 : (this.#buffer?.addresses[partition] ?? 0) };
  }
}

function moveBits(
  context: ScatterContext,
  buffer: PartBuffer,
  from: { readonly bitmaps: readonly Address[]; readonly zeros: Uint32Array },
): void {
  const { kernels, group, partitions } = context;
  const starts = new Uint32Array(partitions);
  withTables(context, [buffer.addresses, starts, from.zeros], ([outs = 0, startsAt = 0, zerosAt = 0]) => {
    forEachStretch(group, ({ rows, ends }, i) => {
      kernels.gatherBits(from.bitmaps[i] as Address, rows, ends, outs, partitions, startsAt, zerosAt);
    });
  });
}

function boolMover(context: ScatterContext, columns: Columns, type: DataType): Mover {
  const { counts, partitions } = context;
  const validity = new ValidityMover(context, columns);
  const data = context.layout.buffer((p) => ((counts[p] as number) + 7) >>> 3, { isZeroed: true });
  return {
    move() {
      validity.move();
      moveBits(context, data, { bitmaps: columns.map((c) => c.data), zeros: new Uint32Array(partitions) });
    },
    column(p) {
      return { type, length: counts[p] as number, ...validity.of(p), data: data.addresses[p] as number, ...NO_PARTS };
    },
  };
}

/** In order, with the number of the batch in its group. */
function forEachStretch(group: readonly RoutedBatch[], run: (stretch: Stretch, index: number) => void): void {
  group.forEach(({ stretches }, i) => {
    for (const stretch of stretches) run(stretch, i);
  });
}

/** Moves values of `width` bytes. */
function moveFixed(context: ScatterContext, columns: Columns, to: { data: PartBuffer; width: number }): void {
  const { kernels, group, partitions } = context;
  const { width } = to;
  const run = (column: Column, { rows, ends }: Stretch, outs: Address) => {
    const { data } = column;
    if (width === 1) kernels.gather1(data, rows, ends, outs, partitions);
    else if (width === 2) kernels.gather2(data, rows, ends, outs, partitions);
    else if (width === 4) kernels.gather4(data, rows, ends, outs, partitions);
    else if (width === 8) kernels.gather8(data, rows, ends, outs, partitions);
    else if (width === 16) kernels.gather16(data, rows, ends, outs, partitions);
    else kernels.gatherWide(data, rows, ends, outs, partitions, width);
  };
  withTables(context, [to.data.addresses.slice()], ([outs = 0]) => {
    forEachStretch(group, (stretch, i) => run(columns[i] as Column, stretch, outs));
  });
}

function fixedMover(context: ScatterContext, columns: Columns, type: DataType, width: number): Mover {
  const { counts } = context;
  const validity = new ValidityMover(context, columns);
  const data = context.layout.buffer((p) => width * (counts[p] as number));
  return {
    move() {
      validity.move();
      moveFixed(context, columns, { data, width });
    },
    column(p) {
      return { type, length: counts[p] as number, ...validity.of(p), data: data.addresses[p] as number, ...NO_PARTS };
    },
  };
}

/** Indices are moved, the dictionary is shared. */
function encodedMover(context: ScatterContext, columns: Columns, first: Column): Mover {
  const indices = fixedMover(context, columns, first.type, 4);
  const dictionary = first.dictionary as Column;
  const { blocks } = (context.group[0] as RoutedBatch).batch;
  return {
    move: () => indices.move(),
    column(p) {
      shareBlocks(context, { blocks, dictionary, into: context.blocks[p] as Address[] });
      return { ...indices.column(p), dictionary };
    },
  };
}

function shareBlocks(
  context: ScatterContext,
  share: { readonly blocks: readonly Address[]; readonly dictionary: Column; readonly into: Address[] },
): void {
  for (const address of bufferAddresses(share.dictionary)) {
    const block = blockAt(context.arena, share.blocks, address);
    invariant(block !== 0, "a dictionary lies in the blocks of its batch");
    if (share.into.includes(block)) continue;
    context.arena.retain(block);
    share.into.push(block);
  }
}

const HEAP_BYTES_MAX = 0x7fffffffn;

/** Strings with their own offsets; those of a dictionary are written out. */
function textMover(context: ScatterContext, columns: Columns, type: DataType): Mover {
  const { arena, kernels, group, counts, partitions, layout } = context;
  const totals = heapTotals(context, columns);
  const validity = new ValidityMover(context, columns);
  const offsets = layout.buffer((p) => 4 * ((counts[p] as number) + 1));
  const data = layout.buffer((p) => totals[p] as number);
  return {
    move() {
      validity.move();
      offsets.addresses.forEach((address) => {
        if (address !== 0) arena.i32[address >>> 2] = 0;
      });
      withTables(context, [data.addresses, offsets.addresses.slice()], ([outs = 0, outOffsets = 0]) => {
        forEachStretch(group, ({ rows, ends }, i) => {
          const text = textOf(columns[i] as Column);
          const { indices, validity: bits } = text;
          kernels.gatherText(text.offsets, rows, ends, outs, partitions, indices, bits, text.data, outOffsets);
        });
      });
    },
    column(p) {
      const place = { offsets: offsets.addresses[p] as number, data: data.addresses[p] as number };
      return { type, length: counts[p] as number, ...validity.of(p), ...place, children: [], dictionary: null };
    },
  };
}

function textOf(column: Column) {
  const { dictionary, validity } = column;
  if (dictionary === null) return { indices: 0, offsets: column.offsets, data: column.data, validity };
  return { indices: column.data, offsets: dictionary.offsets, data: dictionary.data, validity };
}

/** Bytes of all strings of each partition. */
function heapTotals(context: ScatterContext, columns: Columns): number[] {
  const { arena, kernels, group, partitions } = context;
  const totals = arena.allocateZeroed(8 * partitions, context.owner);
  try {
    forEachStretch(group, ({ rows, ends }, i) => {
      const { offsets, indices, validity } = textOf(columns[i] as Column);
      kernels.heapBytes(offsets, rows, ends, totals, partitions, indices, validity);
    });
    return Array.from({ length: partitions }, (_, p) => {
      const bytes = arena.i64[(totals >>> 3) + p] as bigint;
      if (bytes <= HEAP_BYTES_MAX) return Number(bytes);
      throw new ShuffleError("limit", `Cannot make a batch with ${bytes} bytes of strings in a column: at most 2 GiB.`);
    });
  } finally {
    arena.release(totals);
  }
}

function structMover(context: ScatterContext, columns: Columns, type: Extract<DataType, { kind: "struct" }>): Mover {
  const { counts } = context;
  const validity = new ValidityMover(context, columns);
  const fields = type.fields.map((_, i) =>
    planColumn(
      context,
      columns.map(({ children }) => children[i] as Column),
    ),
  );
  return {
    move() {
      validity.move();
      for (const field of fields) field.move();
    },
    column(p) {
      const children = fields.map((field) => field.column(p));
      return { type, length: counts[p] as number, ...validity.of(p), offsets: 0, data: 0, children, dictionary: null };
    },
  };
}

/** Lists, and dictionaries that differ: row by row, by the general code. */
function gatheredMover(context: ScatterContext, columns: Columns): Mover {
  const { arena, group, owner, counts } = context;
  const made: (Column | undefined)[] = [];
  const pieces = (p: number) =>
    group.flatMap((routed, i) => {
      const count = routed.counts[p] as number;
      if (count === 0) return [];
      const rows = new Uint32Array(count);
      let filled = 0;
      for (const { rows: from, ends } of routed.stretches) {
        const start = p === 0 ? 0 : (arena.u32[(ends >>> 2) + p - 1] as number);
        const end = arena.u32[(ends >>> 2) + p] as number;
        rows.set(arena.u32.subarray((from >>> 2) + start, (from >>> 2) + end), filled);
        filled += end - start;
      }
      return [{ column: columns[i] as Column, batch: routed.batch, rows }];
    });
  const gatherInto = (p: number, into: Address[]) => {
    const parts = pieces(p).map(({ column, batch, rows }: { column: Column; batch: Batch; rows: Uint32Array }) => {
      const part = gatherColumn(arena, column, { rows, owner, shared: batch.blocks });
      into.push(...part.blocks);
      return part.column;
    });
    return parts;
  };
  return {
    move() {
      counts.forEach((count, p) => {
        if (count === 0) return;
        const own = context.blocks[p] as Address[];
        const temporary: Address[] = [];
        try {
          const parts = gatherInto(p, temporary);
          if (parts.length === 1) {
            own.push(...temporary.splice(0));
            made[p] = parts[0];
          } else {
            const joined = concatColumns(arena, parts, { owner, shared: temporary });
            own.push(...joined.blocks);
            made[p] = joined.column;
          }
        } finally {
          for (const block of temporary) arena.release(block);
        }
      });
    },
    column: (p) => made[p] as Column,
  };
}
