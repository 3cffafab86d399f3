import type { Field } from "../../arrow/mod.ts";
import type { OperatorId, TypedExpression } from "../../plan/mod.ts";

/** The build side of a join: what all code that touches its entries must agree on. Plain data. */
export interface BuildShape {
  readonly operator: OperatorId;
  /** Over the build side's columns; none: every row is a candidate for every row of the probe side. */
  readonly keys: readonly TypedExpression[];
  /** Columns that entries hold. */
  readonly columns: readonly Field[];
  /**
   * The build side's rows are looked through after the probe, for those with or without a match: entries remember it,
   * and rows with a null key are kept, though they never match.
   */
  readonly tracksMatches: boolean;
  /** Rows of the probe side without a match are joined to an entry of nulls. */
  readonly hasNullEntry: boolean;
}

/** How a key becomes a slot of the directory, which holds the first entry of a chain, or 0. */
export type Placement =
  /** Top bits of the hash. */
  | { readonly kind: "hash"; readonly shift: number }
  /** One integer key whose values lie close together: slot = key − min. All entries of a chain have the same key. */
  | { readonly kind: "dense"; readonly min: bigint; readonly slotCount: number }
  /** No keys: one chain. */
  | { readonly kind: "all" };

/** A finished hash table's memory. */
export interface TableAddresses {
  readonly directory: number;
  /** 0 when the shape has none. */
  readonly nullEntry: number;
}

/** Context words of code that works on the table of join `operator`. */
export function tableWords(operator: OperatorId): { readonly directory: string; readonly nullEntry: string } {
  return { directory: `join${operator}.directory`, nullEntry: `join${operator}.nullEntry` };
}

/** Values of an entry's status byte. */
export const Status = { unmatched: 0, matched: 1, nullKey: 2 } as const;
