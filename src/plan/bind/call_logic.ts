import { bool, isFloat, isNested } from "../../arrow/mod.ts";
import { typedLiteral } from "../literal.ts";
import { castTo, typedCall } from "../make.ts";
import type { TypedExpression } from "../typed.ts";
import type { BoundCall } from "./call.ts";
import { describeTyped } from "./scope.ts";
import { type Operand, operandAs, unify } from "./unify.ts";

function typesText(bound: BoundCall): string {
  return bound.operands.map((o) => describeTyped(o.expression, o.typed)).join(" and ");
}

export function bindComparison(bound: BoundCall): TypedExpression {
  const unified = unify(bound.operands);
  if (unified === null) {
    const rule = `${typesText(bound)}, which cannot be compared. Cast one of them.`;
    throw bound.scope.fail("type", bound.call, rule);
  }
  if (isNested(unified.type)) {
    throw bound.scope.fail("type", bound.call, `lists and structs cannot be compared. Compare their fields or items.`);
  }
  return typedCall(bound.fn, unified.args, bool);
}

function conditions(bound: BoundCall): TypedExpression[] {
  return bound.operands.map((o) => {
    if (o.typed.type.kind !== "bool" && o.typed.type.kind !== "null") {
      throw bound.scope.fail("type", bound.call, `${bound.fn} needs conditions, but ${typesText(bound)}.`);
    }
    return castTo(o.typed, bool);
  });
}

export function bindLogic(bound: BoundCall): TypedExpression {
  return typedCall(bound.fn, conditions(bound), bool);
}

export function bindNot(bound: BoundCall): TypedExpression {
  return typedCall("not", conditions(bound), bool);
}

export function bindNullTest(bound: BoundCall): TypedExpression {
  const args = bound.operands.map((o) => o.typed);
  return typedCall(bound.fn, args, bool, { nullable: false });
}

export function bindIsNan(bound: BoundCall): TypedExpression {
  const [operand] = bound.operands as readonly [Operand];
  if (!isFloat(operand.typed.type)) {
    throw bound.scope.fail("type", bound.call, `isNan needs a float, but ${typesText(bound)}.`);
  }
  return typedCall("isNan", [operand.typed], bool);
}

export function bindCoalesce(bound: BoundCall): TypedExpression {
  const unified = unify(bound.operands);
  if (unified === null) {
    const rule = `${typesText(bound)}, which have no common type. Cast them to one.`;
    throw bound.scope.fail("type", bound.call, rule);
  }
  const [only, ...more] = unified.args;
  if (only !== undefined && more.length === 0) return only;
  if (isNested(unified.type)) {
    const rule = `lists and structs are only carried, not chosen from. Use coalesce on their fields.`;
    throw bound.scope.fail("type", bound.call, rule);
  }
  return typedCall("coalesce", unified.args, unified.type, { nullable: unified.args.every((a) => a.nullable) });
}

/** Has the type of the first operand; compared as their common type. */
export function bindNullIf(bound: BoundCall): TypedExpression {
  const comparison = bindComparison({ ...bound, fn: "eq" });
  const [operand] = bound.operands as readonly [Operand];
  const value = operandAs(operand, operand.typed.type);
  if (comparison.kind === "call" && comparison.args[0] === value) {
    return typedCall("nullIf", comparison.args, value.type, { nullable: true });
  }
  const branches = Object.freeze([Object.freeze({ when: comparison, then: typedLiteral(null, value.type) })]);
  return Object.freeze({ kind: "case", branches, otherwise: value, type: value.type, nullable: true });
}
