import type { TypedExpression } from "../plan/mod.ts";

const keys = new WeakMap<TypedExpression, string>();

/** Equal for structurally equal expressions. */
export function expressionKey(expression: TypedExpression): string {
  const known = keys.get(expression);
  if (known !== undefined) return known;
  const key = structureKey(expression);
  keys.set(expression, key);
  return key;
}

/** Equal for structurally equal plain data. */
export function structureKey(data: unknown): string {
  return JSON.stringify(data, (_, value: unknown) => exact(value));
}

/** JSON loses bigint, -0, NaN and infinities, and the kind of typed arrays; keys must not. */
function exact(value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" && (!Number.isFinite(value) || Object.is(value, -0))) {
    return Object.is(value, -0) ? "number -0" : `number ${value}`;
  }
  if (value instanceof Uint8Array) return `bytes ${value.join(",")}`;
  return value;
}
