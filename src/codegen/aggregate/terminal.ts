import type { Schema } from "../../arrow/mod.ts";
import type { AggregateCall, NamedExpression, OperatorId } from "../../plan/mod.ts";

/** Ends a pipeline by grouping its rows. Plain data. */
export interface AggregateTerminal {
  readonly kind: "aggregate";
  readonly operator: OperatorId;
  /** None: all rows are one group, which exists even when there are no rows. */
  readonly keys: readonly NamedExpression[];
  readonly aggregates: readonly AggregateCall[];
  /** Of the result: keys, then aggregates. */
  readonly schema: Schema;
  /** Rows come in the order of another aggregation's table, which hashes by another factor then. */
  readonly isOfGroups: boolean;
}
