import type { ReadHandle } from "../../kernel/mod.ts";
import type { TypedExpression } from "../../plan/mod.ts";
import type { RowGroup } from "./footer.ts";
import type { ColumnShape, LeafShape } from "./schema.ts";

/** Rows of a row group, end excluded. */
export interface RowRange {
  readonly start: number;
  readonly end: number;
}

export interface PruneRequest {
  readonly group: RowGroup;
  /** All columns of the file. */
  readonly shapes: readonly ColumnShape[];
  readonly leaves: readonly LeafShape[];
  readonly predicate: TypedExpression | null;
  readonly handle: ReadHandle;
}

/** The rows of a row group that may satisfy the predicate, in order; empty when provably none does. */
export function wantedRanges(request: PruneRequest): RowRange[] {
  const { group } = request;
  return group.rowCount === 0 ? [] : [{ start: 0, end: group.rowCount }];
}
