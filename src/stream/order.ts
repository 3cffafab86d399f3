import { type LogicalSort, PlanError } from "../plan/mod.ts";
import { Expr } from "./expr.ts";
import { type ExpressionInput, resolve } from "./resolve.ts";
import type { ColumnName } from "./types.ts";

export type Direction = "asc" | "desc";

/** `nulls` is "last" by default, whatever the direction. */
export interface OrderKey<R> {
  readonly by: ExpressionInput<R>;
  readonly order?: Direction;
  readonly nulls?: "first" | "last";
}

/** `"a"`, `{ flights: "desc", origin: "asc" }`, `{ by: c => c.a.abs(), order: "desc", nulls: "first" }`, or an array of these. */
export type OrderInput<R> =
  | ExpressionInput<R>
  | OrderKey<R>
  | { readonly [K in ColumnName<R>]?: Direction }
  | readonly (ColumnName<R> | OrderKey<R>)[];

type SortKeys = LogicalSort["keys"];

function direction(value: unknown): boolean {
  if (value === undefined || value === "asc") return false;
  if (value === "desc") return true;
  throw new PlanError("argument", `orderBy: the order must be "asc" or "desc", not ${JSON.stringify(value)}.`);
}

function explicitKey(key: { by: unknown; order?: unknown; nulls?: unknown }): SortKeys {
  if (key.nulls !== undefined && key.nulls !== "first" && key.nulls !== "last") {
    throw new PlanError("argument", `orderBy: nulls must be "first" or "last", not ${JSON.stringify(key.nulls)}.`);
  }
  const expression = resolve(key.by as ExpressionInput<never>, "orderBy");
  return [{ expression, descending: direction(key.order), nullsFirst: key.nulls === "first" }];
}

/** `{ by: … }` is a key unless its value is a direction: then a column is named "by". */
function isExplicit(input: object): input is { by: unknown; order?: unknown; nulls?: unknown } {
  return "by" in input && input.by !== "asc" && input.by !== "desc";
}

export function sortKeys(inputs: readonly unknown[]): SortKeys {
  const keys = inputs.flat().flatMap((input): SortKeys => {
    if (typeof input !== "object" || input === null || input instanceof Expr) return explicitKey({ by: input });
    if (isExplicit(input)) return explicitKey(input);
    return Object.entries(input).flatMap(([name, order]: [string, unknown]) => explicitKey({ by: name, order }));
  });
  return Object.freeze(keys);
}
