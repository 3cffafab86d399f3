import type { TypedCase, TypedExpression } from "../../plan/mod.ts";
import { type Expr, i32, type Operand, select, type ValType } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import { isTrue } from "../steps.ts";
import type { Value, ValueParts } from "../value.ts";
import { constantOf, nullValue, slotOf, valueOf } from "./support.ts";

/** Only the chosen branch runs. */
export function compileCase(scope: RowScope, expression: TypedCase): Value {
  return selectConstants(scope, expression) ?? branches(scope, expression);
}

function branches(scope: RowScope, expression: TypedCase): Value {
  const { f } = scope;
  const slot = slotOf(scope, expression.type, "case");
  const isNull = f.local("i32", "case_null");
  let canBeNull = false;
  const choose = (value: Value): void => {
    if (constantOf(value.isNull ?? i32.const(0)) !== 1) slot.set(value);
    f.set(isNull, value.isNull ?? 0);
    if (value.isNull !== null) canBeNull = true;
  };
  const from = (index: number): void => {
    const branch = expression.branches[index];
    if (branch === undefined) return choose(otherwiseValue(scope, expression));
    const condition = isTrue(scope.evaluate(branch.when));
    scope.if(
      condition,
      () => choose(scope.evaluate(branch.then)),
      () => from(index + 1),
    );
  };
  from(0);
  return { type: expression.type, isNull: canBeNull ? isNull : null, ...slot.parts };
}

function otherwiseValue(scope: RowScope, expression: TypedCase): Value {
  return expression.otherwise === null ? nullValue(expression.type) : scope.evaluate(expression.otherwise);
}

/** `case when c then 1 else 0 end` without a branch. */
function selectConstants(scope: RowScope, expression: TypedCase): Value | null {
  const [branch, second] = expression.branches;
  if (branch === undefined || second !== undefined || expression.otherwise === null) return null;
  if (!isNumberLiteral(branch.then) || !isNumberLiteral(expression.otherwise)) return null;
  const then = scope.evaluate(branch.then);
  const otherwise = scope.evaluate(expression.otherwise);
  if (then.repr === "bytes" || then.repr === "i128" || then.repr !== otherwise.repr) return null;
  const condition = isTrue(scope.evaluate(branch.when));
  const value = select(condition, then.value as Expr<ValType>, otherwise.value as Operand<ValType>);
  // Both arms have this register form.
  return valueOf(scope, expression.type, null, { repr: then.repr, value } as unknown as ValueParts);
}

function isNumberLiteral(expression: TypedExpression): boolean {
  return expression.kind === "literal" && expression.value !== null;
}
