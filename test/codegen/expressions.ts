/** Short constructors of typed expressions for tests. */
import { bool, type DataType } from "../../src/arrow/mod.ts";
import type {
  DateUnit,
  LiteralValue,
  ScalarFunction,
  TypedCall,
  TypedCase,
  TypedCast,
  TypedColumn,
  TypedExpression,
  TypedIn,
  TypedLiteral,
} from "../../src/plan/mod.ts";

export function column(name: string, type: DataType): TypedColumn {
  return { kind: "column", name, type, nullable: true };
}

export function literal(value: LiteralValue, type: DataType): TypedLiteral {
  return { kind: "literal", value, type, nullable: value === null };
}

export function call(
  fn: ScalarFunction,
  args: readonly TypedExpression[],
  options: { readonly type: DataType; readonly unit?: DateUnit },
): TypedCall {
  const base = { kind: "call", fn, args, type: options.type, nullable: true } as const;
  return options.unit === undefined ? base : { ...base, unit: options.unit };
}

export function cast(operand: TypedExpression, type: DataType, onError: "fail" | "null" = "fail"): TypedCast {
  return { kind: "cast", operand, type, onError, nullable: true };
}

export function caseOf(
  branches: readonly (readonly [TypedExpression, TypedExpression])[],
  otherwise: TypedExpression | null,
): TypedCase {
  const first = branches[0];
  if (first === undefined) throw new Error("a case has a branch");
  return {
    kind: "case",
    branches: branches.map(([when, then]) => ({ when, then })),
    otherwise,
    type: first[1].type,
    nullable: true,
  };
}

export function isIn(operand: TypedExpression, values: readonly LiteralValue[]): TypedIn {
  return { kind: "in", operand, values, type: bool, nullable: true };
}
