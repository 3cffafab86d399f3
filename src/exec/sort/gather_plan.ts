import {
  type Address,
  type Arena,
  type Batch,
  blockAt,
  bufferAddresses,
  byteWidth,
  type Column,
  concatColumns,
  type DataType,
  type Field,
  isNested,
  isVariableWidth,
  type OwnerId,
  type Schema,
  valueType,
} from "../../arrow/mod.ts";
import { type Blocks, columnOf, encodingOf } from "./sort_input.ts";

/** How a column of the result is gathered from the batches. */
export type GatherColumn = {
  readonly table: Address;
  readonly nullable: boolean;
} & (
  | { readonly kind: "fixed"; readonly byteWidth: number }
  | { readonly kind: "bits" }
  | { readonly kind: "bytes" }
  | { readonly kind: "null" }
  /** All batches have the same dictionary; `blocks` are the ones it lies in. */
  | {
      readonly kind: "dictionary";
      readonly type: DataType;
      readonly dictionary: Column;
      readonly blocks: readonly Address[];
    }
  /** Rows of all batches in one column, gathered by `gatherColumn`; `firstRows` are where each batch starts. */
  | {
      readonly kind: "whole";
      readonly column: Column;
      readonly blocks: readonly Address[];
      readonly firstRows: readonly number[];
    }
);

interface GatherSource {
  readonly batches: readonly Batch[];
  readonly schema: Schema;
  readonly operator: OwnerId;
  readonly tableOf: (column: number) => Address;
  readonly blocks: Blocks;
}

export function planGather(arena: Arena, source: GatherSource): GatherColumn[] {
  return source.schema.fields.map((field, index) => {
    const columns = columnOf(source.batches, index);
    const nullable = columns.some((column) => column.validity !== 0);
    const base = { table: source.tableOf(index), nullable };
    const type = valueType(field.type);
    if (type.kind === "null") return { ...base, kind: "null" };
    if (isNested(type)) return { ...base, ...wholeColumn(arena, columns, source) };
    if (encodingOf(columns) !== "plain") return { ...base, ...encodedColumn(arena, { field, columns }, source) };
    if (type.kind === "bool") return { ...base, kind: "bits" };
    if (isVariableWidth(type)) return { ...base, kind: "bytes" };
    return { ...base, kind: "fixed", byteWidth: byteWidth(type) };
  });
}

type Plan<K extends GatherColumn["kind"]> = Omit<Extract<GatherColumn, { kind: K }>, "table" | "nullable">;

function encodedColumn(
  arena: Arena,
  from: { readonly field: Field; readonly columns: readonly Column[] },
  source: GatherSource,
): Plan<"dictionary"> | Plan<"bytes"> | Plan<"whole"> {
  const { field, columns } = from;
  const [first] = columns;
  const dictionary = first?.dictionary ?? null;
  if (
    first !== undefined &&
    dictionary !== null &&
    columns.every((column) => sameDictionary(column.dictionary, dictionary))
  ) {
    const shared = source.batches[0]?.blocks ?? [];
    const lies = bufferAddresses(dictionary).map((address) => blockAt(arena, shared, address));
    return {
      kind: "dictionary",
      type: first.type,
      dictionary,
      blocks: [...new Set(lies)].filter((block) => block !== 0),
    };
  }
  if (field.type.kind !== "dictionary" && isVariableWidth(field.type)) return { kind: "bytes" };
  return wholeColumn(arena, columns, source);
}

function sameDictionary(a: Column | null, b: Column): boolean {
  return a !== null && a.length === b.length && a.data === b.data && a.offsets === b.offsets;
}

function wholeColumn(arena: Arena, columns: readonly Column[], source: GatherSource): Plan<"whole"> {
  const firstRows: number[] = [];
  let rows = 0;
  for (const column of columns) {
    firstRows.push(rows);
    rows += column.length;
  }
  const [only, second] = columns;
  if (only !== undefined && second === undefined) {
    return { kind: "whole", column: only, blocks: source.batches[0]?.blocks ?? [], firstRows };
  }
  const shared = source.batches.flatMap((batch) => batch.blocks);
  const whole = concatColumns(arena, columns, { owner: source.operator, shared });
  source.blocks.adopt(whole.blocks);
  return { kind: "whole", column: whole.column, blocks: whole.blocks, firstRows };
}
