import { bool, isNested, typeName, valueType } from "../../arrow/mod.ts";
import { unreachable } from "../../kernel/mod.ts";
import {
  type CaseExpression,
  type CastExpression,
  call,
  type Expression,
  type FieldExpression,
  type InExpression,
} from "../expression.ts";
import { literalByItself } from "../literal.ts";
import { castTo, typedCast } from "../make.ts";
import { columnsHint } from "../suggest.ts";
import type { LiteralValue, TypedExpression } from "../typed.ts";
import { bindCall } from "./call.ts";
import { canCast } from "./castable.ts";
import { type BindScope, describeTyped } from "./scope.ts";
import { type Operand, unify } from "./unify.ts";

/** Types one expression of a row; throws `PlanError`. */
export function bindExpression(e: Expression, scope: BindScope): TypedExpression {
  switch (e.kind) {
    case "column":
      return scope.column(e.name, e.side);
    case "literal":
      return literalByItself(e.value);
    case "call":
      return bindCall(e, scope, (part) => bindExpression(part, scope));
    case "cast":
      return bindCast(e, scope);
    case "case":
      return bindCase(e, scope);
    case "in":
      return bindIn(e, scope);
    case "field":
      return bindField(e, scope);
    case "alias":
      return bindExpression(e.operand, scope);
    case "aggregate":
      throw scope.fail(
        "aggregate",
        e,
        "an aggregate has a value for a group, not for a row. Use it in .aggregate({ … }).",
      );
    default:
      return unreachable(e);
  }
}

/** A condition: bool, or null as one that is never true. */
export function bindCondition(e: Expression, scope: BindScope): TypedExpression {
  const typed = bindExpression(e, scope);
  if (typed.type.kind === "bool") return typed;
  if (typed.type.kind === "null") return castTo(typed, bool);
  throw scope.fail("type", e, `a condition must be bool, but ${describeTyped(e, typed)}.`);
}

function bindCast(e: CastExpression, scope: BindScope): TypedExpression {
  const operand = bindExpression(e.operand, scope);
  const type = valueType(e.type);
  if (!canCast(operand.type, type)) {
    throw scope.fail("type", e, `${describeTyped(e.operand, operand)}, which cannot become ${typeName(type)}.`);
  }
  const exact = castTo(operand, type);
  return exact.kind === "cast" && exact.operand === operand ? typedCast(operand, type, e.onError) : exact;
}

function operandsOf(expressions: readonly Expression[], scope: BindScope): Operand[] {
  return expressions.map((expression) => ({ expression, typed: bindExpression(expression, scope) }));
}

function noCommonType(e: Expression, operands: readonly Operand[], scope: BindScope): Error {
  const types = operands.map((o) => describeTyped(o.expression, o.typed)).join(", ");
  return scope.fail("type", e, `its values have no common type: ${types}. Cast them to one type.`);
}

const CHOOSES_NESTED = "lists and structs are only carried, not chosen from. Choose among fields of them.";

function bindCase(e: CaseExpression, scope: BindScope): TypedExpression {
  const whens = e.branches.map((b) => bindCondition(b.when, scope));
  const values = [...e.branches.map((b) => b.then), ...(e.otherwise === null ? [] : [e.otherwise])];
  const operands = operandsOf(values, scope);
  const unified = unify(operands);
  if (unified === null) throw noCommonType(e, operands, scope);
  if (isNested(unified.type)) throw scope.fail("type", e, CHOOSES_NESTED);
  const branches = whens.map((when, i) => Object.freeze({ when, then: unified.args[i] as TypedExpression }));
  const otherwise = e.otherwise === null ? null : (unified.args.at(-1) as TypedExpression);
  const nullable = otherwise === null || unified.args.some((a) => a.nullable);
  return Object.freeze({ kind: "case", branches: Object.freeze(branches), otherwise, type: unified.type, nullable });
}

/** Literals become a list to look up; other expressions a chain of comparisons with the same answer. */
function bindIn(e: InExpression, scope: BindScope): TypedExpression {
  const operands = operandsOf([e.operand, ...e.values], scope);
  const unified = unify(operands);
  if (unified === null) throw noCommonType(e, operands, scope);
  const [operand, ...values] = unified.args as [TypedExpression, ...TypedExpression[]];
  const literals: LiteralValue[] = [];
  for (const value of values) if (value.kind === "literal") literals.push(value.value);
  if (literals.length < values.length) {
    const comparisons = e.values.map((value) => call("eq", [e.operand, value]));
    return bindExpression(
      comparisons.reduce((all, one) => call("or", [all, one])),
      scope,
    );
  }
  const nullable = (operand.nullable && values.length > 0) || literals.includes(null);
  return Object.freeze({ kind: "in", operand, values: Object.freeze(literals), type: bool, nullable });
}

function bindField(e: FieldExpression, scope: BindScope): TypedExpression {
  const operand = bindExpression(e.operand, scope);
  if (operand.type.kind !== "struct") {
    throw scope.fail("type", e, `only a struct has fields, but ${describeTyped(e.operand, operand)}.`);
  }
  const found = operand.type.fields.find((f) => f.name === e.name);
  if (found === undefined) {
    const names = operand.type.fields.map((f) => f.name);
    throw scope.fail("unknownColumn", e, `the struct has no field "${e.name}".${columnsHint(e.name, names)}`);
  }
  const type = valueType(found.type);
  return Object.freeze({ kind: "field", operand, name: e.name, type, nullable: operand.nullable || found.nullable });
}
