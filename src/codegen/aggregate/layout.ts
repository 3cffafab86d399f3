/**
 * What an entry looks like: keys first, then the fields of the accumulators that the aggregates share. It depends on
 * the terminal alone, so all workers, and modules for batches of different physical form, agree on it.
 */
import type { DataType } from "../../arrow/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import type { AggregateCall, TypedExpression } from "../../plan/mod.ts";
import { expressionKey } from "../expression_key.ts";
import type { Accumulator } from "./accumulator.ts";
import { countAccumulator, type SeenAccumulator, seenAccumulator } from "./accumulators/count.ts";
import { distinctAccumulator } from "./accumulators/distinct.ts";
import { extremeAccumulator } from "./accumulators/extreme.ts";
import { momentsAccumulator } from "./accumulators/moments.ts";
import { positionAccumulator } from "./accumulators/position.ts";
import { sumAccumulator } from "./accumulators/sum.ts";
import { valuesAccumulator } from "./accumulators/values.ts";
import { type KeyField, keyField } from "./key_field.ts";
import { STAGE_BYTES } from "./memory_layout.ts";
import { Packing } from "./packing.ts";
import {
  averageResult,
  countResult,
  heldResult,
  quantileResult,
  type Result,
  spreadResult,
  sumResult,
} from "./results.ts";
import { type RowLayout, rowLayout } from "./row_layout.ts";
import type { TableShape } from "./table.ts";
import type { AggregateTerminal } from "./terminal.ts";

export interface PlacedAccumulator {
  readonly argument: TypedExpression | null;
  readonly accumulator: Accumulator;
}

export interface AggregateLayout {
  readonly keys: readonly KeyField[];
  readonly accumulators: readonly PlacedAccumulator[];
  /** One an aggregate, in order. */
  readonly results: readonly Result[];
  /** Groups, then one a set of distinct values. */
  readonly tables: readonly TableShape[];
  readonly entryBytes: number;
  /** How rows are written to partitions; null where they always go to the table. */
  readonly rows: RowLayout | null;
}

/** Larger entries are not kept in the slots: a table is half empty. */
const INLINE_ENTRY_BYTES_MAX = 56;

export function aggregateLayout(terminal: AggregateTerminal): AggregateLayout {
  const packing = new Packing();
  const keys = terminal.keys.map(({ expression }) => keyField(packing, expression));
  const plan = new AccumulatorPlan(packing, keys.length > 0);
  const results = terminal.aggregates.map((call, index) => {
    const field = terminal.schema.fields[terminal.keys.length + index];
    invariant(field !== undefined, "an aggregate has an output field");
    return resultOf(plan, { call, type: field.type });
  });
  const inline = keys.length > 0 && plan.distinctTables.length === 0 && packing.bytes <= INLINE_ENTRY_BYTES_MAX;
  const tagOffset = inline ? packing.take(4) : null;
  const groups: TableShape = {
    index: 0,
    keys,
    entryBytes: packing.bytes,
    tagOffset,
    hasOtherHash: terminal.isOfGroups,
  };
  const rows = inline ? rowLayout(terminal) : null;
  return {
    keys,
    accumulators: plan.placed,
    results,
    tables: [groups, ...plan.distinctTables],
    entryBytes: packing.bytes,
    rows: rows !== null && rows.bytes <= STAGE_BYTES ? rows : null,
  };
}

/** Gives each needed accumulator its place once. */
class AccumulatorPlan {
  readonly placed: PlacedAccumulator[] = [];
  readonly distinctTables: TableShape[] = [];
  readonly packing: Packing;
  /** Every group has at least one row. */
  readonly grouped: boolean;
  readonly #known = new Map<string, Accumulator>();

  constructor(packing: Packing, grouped: boolean) {
    this.packing = packing;
    this.grouped = grouped;
  }

  share<A extends Accumulator>(kind: string, argument: TypedExpression | null, make: () => A): A {
    const key = `${kind} ${argument === null ? "" : expressionKey(argument)}`;
    const known = this.#known.get(key);
    // One kind always makes one type of accumulator.
    if (known !== undefined) return known as A;
    const accumulator = make();
    this.#known.set(key, accumulator);
    this.placed.push({ argument, accumulator });
    return accumulator;
  }

  /** Rows with a value; those of an argument that is never null are all rows. */
  count(argument: TypedExpression | null) {
    const counted = argument?.nullable === true ? argument : null;
    return this.share("count", counted, () => countAccumulator(this.packing));
  }

  sum(argument: TypedExpression) {
    return this.share("sum", argument, () => sumAccumulator(this.packing, argument.type));
  }

  /** Whether there was a value; null where there always is. */
  seen(argument: TypedExpression): SeenAccumulator | null {
    if (this.grouped && !argument.nullable) return null;
    return this.share("seen", argument, () => seenAccumulator(this.packing));
  }
}

function resultOf(plan: AccumulatorPlan, of: { readonly call: AggregateCall; readonly type: DataType }): Result {
  const { call, type } = of;
  const { packing } = plan;
  if (call.fn === "count") return countResult(plan.count(call.argument), type);
  const argument = call.argument;
  invariant(argument !== null, `${call.fn} wants an argument`);
  switch (call.fn) {
    case "sum":
      return sumResult({ sum: plan.sum(argument), seen: plan.seen(argument), argument, call, type });
    case "avg":
      return averageResult({ sum: plan.sum(argument), count: plan.count(argument), argument });
    case "min":
    case "max": {
      const which = call.fn;
      const extreme = plan.share(which, argument, () => extremeAccumulator(packing, { type: argument.type, which }));
      return heldResult(extreme.slot, { type, isPresent: extreme.seen.seen });
    }
    case "first":
    case "last": {
      const which = call.fn;
      const held = plan.share(which, argument, () => positionAccumulator(packing, { type: argument.type, which }));
      return heldResult(held.slot, { type, isPresent: held.isPresent });
    }
    case "variance":
    case "stddev":
      return spreadResult(
        plan.share("moments", argument, () => momentsAccumulator(packing)),
        call.fn,
      );
    case "quantile":
      return quantileResult(
        plan.share("values", argument, () => valuesAccumulator(packing)),
        call.quantile ?? 0.5,
      );
    case "countDistinct": {
      const distinct = plan.share("distinct", argument, () => {
        const made = distinctAccumulator(packing, { type: argument.type, table: 1 + plan.distinctTables.length });
        plan.distinctTables.push(made.table);
        return made;
      });
      return countResult(distinct, type);
    }
    default:
      return unreachable(call.fn);
  }
}
