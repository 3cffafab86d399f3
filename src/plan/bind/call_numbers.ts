import { type DataType, decimal, float64, int16, int32, int64, isInteger, isNumeric } from "../../arrow/mod.ts";
import { commonDecimal, decimalOf, decimalProductType, decimalSumType } from "../common_type.ts";
import { literalTypeBeside } from "../literal.ts";
import { castTo, typedCall } from "../make.ts";
import type { TypedExpression } from "../typed.ts";
import type { BoundCall } from "./call.ts";
import { describeTyped } from "./scope.ts";
import { commonOperandType, flexibleValue, type Operand, operandAs } from "./unify.ts";

function needNumbers(bound: BoundCall): Error {
  const types = bound.operands.map((o) => describeTyped(o.expression, o.typed)).join(", ");
  return bound.scope.fail("type", bound.call, `${bound.fn} needs numbers, but ${types}.`);
}

function numericType(bound: BoundCall): DataType {
  const type = commonOperandType(bound.operands);
  if (type === null || !(isNumeric(type) || type.kind === "null")) throw needNumbers(bound);
  return type.kind === "null" ? int64 : type;
}

/** The decimal that an operand of decimal arithmetic is, before it is brought to a common one. */
function decimalOperand(operand: Operand, common: DataType): Extract<DataType, { kind: "decimal" }> {
  const value = flexibleValue(operand);
  const own = value === undefined ? operand.typed.type : value === null ? common : literalTypeBeside(value, common);
  return decimalOf(own) ?? decimal(38, 0);
}

function bindDecimalArithmetic(bound: BoundCall, common: DataType): TypedExpression {
  const [left, right] = bound.operands as readonly [Operand, Operand];
  const [a, b] = [decimalOperand(left, common), decimalOperand(right, common)];
  if (bound.fn === "multiply") {
    const type = decimalProductType(a, b);
    if (type === null) {
      const rule = `the product would have ${a.scale + b.scale} digits behind the point, at most 38 are possible. Cast an operand to a smaller scale or to float64.`;
      throw bound.scope.fail("type", bound.call, rule);
    }
    return typedCall("multiply", [operandAs(left, a), operandAs(right, b)], type);
  }
  const sum = bound.fn === "add" || bound.fn === "subtract";
  const type = sum ? decimalSumType(a, b) : commonDecimal(a, b);
  const result = bound.fn === "divide" ? float64 : type;
  return typedCall(bound.fn, [operandAs(left, type), operandAs(right, type)], result);
}

/**
 * Operands get one common type, which is the result's: integers divide by truncation. Decimals: sums have one digit more,
 * products keep each operand's own scale, quotients are float64.
 */
export function bindArithmetic(bound: BoundCall): TypedExpression {
  const type = numericType(bound);
  if (type.kind === "decimal") return bindDecimalArithmetic(bound, type);
  const args = bound.operands.map((o) => operandAs(o, type));
  return typedCall(bound.fn, args, type);
}

export function bindWrapping(bound: BoundCall): TypedExpression {
  const type = numericType(bound);
  if (!isInteger(type)) throw bound.scope.fail("type", bound.call, `${bound.fn} needs integers of up to 64 bits.`);
  const args = bound.operands.map((o) => operandAs(o, type));
  return typedCall(bound.fn, args, type);
}

const SIGNED: Readonly<Record<string, DataType>> = {
  uint8: int16,
  uint16: int32,
  uint32: int64,
  uint64: decimal(20, 0),
};

/** negate, abs: an unsigned operand of negate gets the next signed type. */
export function bindUnaryNumber(bound: BoundCall): TypedExpression {
  const type = numericType(bound);
  const [operand] = bound.operands as readonly [Operand];
  const signed = SIGNED[type.kind];
  if (signed !== undefined && bound.fn === "abs") return operandAs(operand, type);
  const result = signed ?? type;
  return typedCall(bound.fn, [castTo(operandAs(operand, type), result)], result);
}

const ROUND_DIGITS_MAX = 38;

/** The type stays; a decimal gets one digit more, as 9.9 rounds to 10. */
export function bindRounding(bound: BoundCall): TypedExpression {
  const [operand, digits] = bound.operands as readonly [Operand, Operand?];
  const type = numericType({ ...bound, operands: [operand] });
  const places = bound.fn === "round" ? roundDigits(bound, digits) : 0;
  const value = operandAs(operand, type);
  if (isInteger(type) && places >= 0) return value;
  const result = type.kind === "decimal" ? decimal(Math.min(38, type.precision + 1), type.scale) : type;
  const args = [castTo(value, result)];
  if (digits !== undefined) args.push(operandAs(digits, int32));
  return typedCall(bound.fn, args, result, { nullable: value.nullable });
}

function roundDigits(bound: BoundCall, digits: Operand | undefined): number {
  const value = digits === undefined ? undefined : flexibleValue(digits);
  if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= ROUND_DIGITS_MAX) return value;
  throw bound.scope.fail("argument", bound.call, `round takes a whole number of digits from -38 to 38 as a literal.`);
}

/** sqrt, pow, ln, exp: float64 in and out. */
export function bindFloatFunction(bound: BoundCall): TypedExpression {
  for (const operand of bound.operands) numericType({ ...bound, operands: [operand] });
  const args = bound.operands.map((o) => operandAs(o, float64));
  return typedCall(bound.fn, args, float64);
}
