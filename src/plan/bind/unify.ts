import { type DataType, nullType } from "../../arrow/mod.ts";
import { commonType } from "../common_type.ts";
import type { Expression, LiteralInput } from "../expression.ts";
import { adaptLiteral, literalByItself, literalTypeBeside } from "../literal.ts";
import { castTo } from "../make.ts";
import type { TypedExpression } from "../typed.ts";

/** An operand before a common type is found: what was written and what it is by itself. */
export interface Operand {
  readonly expression: Expression;
  readonly typed: TypedExpression;
}

/** The value when the operand is a plain literal, which takes the type of what stands beside it. */
export function flexibleValue(operand: Operand): LiteralInput | undefined {
  return operand.expression.kind === "literal" ? operand.expression.value : undefined;
}

/** The one type that all operands are brought to; null when there is none. */
export function commonOperandType(operands: readonly Operand[]): DataType | null {
  let type: DataType | null = null;
  for (const operand of operands) {
    if (flexibleValue(operand) !== undefined) continue;
    type = type === null ? operand.typed.type : commonType(type, operand.typed.type);
    if (type === null) return null;
  }
  for (const operand of operands) {
    const value = flexibleValue(operand);
    if (value === undefined || value === null) continue;
    if (type === null || type.kind === "null") type = operand.typed.type;
    else if (adaptLiteral(value, type) === null) type = commonType(type, literalTypeBeside(value, type));
    if (type === null) return null;
  }
  return type ?? nullType;
}

/** The operand as `type`, which `commonOperandType` found (or which any value of it can be cast to). */
export function operandAs(operand: Operand, type: DataType): TypedExpression {
  const value = flexibleValue(operand);
  if (value === undefined) return castTo(operand.typed, type);
  return adaptLiteral(value, type) ?? castTo(literalByItself(value), type);
}

/** All operands as their one common type; null when there is none. */
export function unify(
  operands: readonly Operand[],
): { readonly type: DataType; readonly args: TypedExpression[] } | null {
  const type = commonOperandType(operands);
  return type === null ? null : { type, args: operands.map((o) => operandAs(o, type)) };
}
