import type { PlanNode } from "../../plan/mod.ts";
import type { ExchangeId, FragmentId } from "./model.ts";

/**
 * How the rows of all tasks stand to the rows that one machine would give.
 *
 * - none: they have no order that anyone could rely on.
 * - position: task 0's rows, then task 1's, … are in order.
 * - columns: sorted by these hidden columns, nulls last, they are in order; equal ones are so already, and in one task.
 */
export type RowOrder =
  | { readonly kind: "none" }
  | { readonly kind: "position" }
  | { readonly kind: "columns"; readonly columns: readonly string[] };

export const NO_ORDER: RowOrder = { kind: "none" };
export const BY_POSITION: RowOrder = { kind: "position" };

/** Rows on their way up the plan: a fragment that is still being put together, or one that is done. */
export interface Open {
  /** Gives the rows within a task; of a sealed fragment its root. Hidden columns stand behind the visible ones' names. */
  readonly node: PlanNode;
  readonly parallelism: number;
  readonly inputs: readonly ExchangeId[];
  /** The fragment, when nothing can be added to it any more. */
  readonly sealed: FragmentId | null;
  readonly order: RowOrder;
  /** Sets of columns by which rows are shared out among the tasks, as a hash exchange does. Empty: by none. */
  readonly hashed: readonly (readonly string[])[];
  /** Rows can come in another order when a task runs again. */
  readonly varies: boolean;
  /** See `Fragment.isRepeatable`. */
  readonly isRepeatable: boolean;
  readonly estimatedRows: number | null;
}
