import { bool, type DataType, type Field, typeEquals, valueType } from "../arrow/mod.ts";
import { castLiteral } from "./cast_literal.ts";
import type { DateUnit, ScalarFunction, TypedCall, TypedCast, TypedColumn, TypedExpression } from "./typed.ts";

/** Factories of typed expressions. */

export function typedColumn(field: Field): TypedColumn {
  return Object.freeze({ kind: "column", name: field.name, type: valueType(field.type), nullable: field.nullable });
}

export interface CallOptions {
  /** When it differs from "an argument can be null". */
  readonly nullable?: boolean;
  readonly unit?: DateUnit | null;
}

export function typedCall(
  fn: ScalarFunction,
  args: readonly TypedExpression[],
  type: DataType,
  options: CallOptions = {},
): TypedCall {
  const nullable = options.nullable ?? args.some((a) => a.nullable);
  const unit = options.unit === undefined || options.unit === null ? {} : { unit: options.unit };
  return Object.freeze({ kind: "call", fn, args: Object.freeze([...args]), type, nullable, ...unit });
}

export function typedCast(operand: TypedExpression, type: DataType, onError: "fail" | "null" = "fail"): TypedCast {
  return Object.freeze({ kind: "cast", operand, type, onError, nullable: operand.nullable || onError === "null" });
}

/** The expression as `type`: itself, a converted literal, or a cast. */
export function castTo(e: TypedExpression, type: DataType): TypedExpression {
  if (typeEquals(e.type, type)) return e;
  return (e.kind === "literal" ? castLiteral(e, type) : null) ?? typedCast(e, type);
}

export function conjunction(parts: readonly TypedExpression[]): TypedExpression | null {
  const [first, ...rest] = parts;
  if (first === undefined) return null;
  return rest.reduce((all, part) => typedCall("and", [all, part], bool), first);
}

/** Operands of nested `and`s, left to right. */
export function conjunctsOf(e: TypedExpression): TypedExpression[] {
  return e.kind === "call" && e.fn === "and" ? e.args.flatMap(conjunctsOf) : [e];
}
