/** Arithmetic by type; integers in integers.ts, floats in floats.ts, decimals in decimal.ts. */
import { isFloat, isInteger } from "../../arrow/mod.ts";
import type { TypedCall } from "../../plan/mod.ts";
import { CodegenError } from "../error.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";

import { compileDecimal } from "./decimal.ts";
import { expressionText } from "./expression_text.ts";
import { compileFloat } from "./floats.ts";
import { compileInteger } from "./integers.ts";
import { nullValue } from "./support.ts";

export type Arithmetic =
  | "add"
  | "subtract"
  | "multiply"
  | "divide"
  | "modulo"
  | "negate"
  | "abs"
  | "addWrapping"
  | "subtractWrapping"
  | "multiplyWrapping"
  | "round"
  | "floor"
  | "ceil";

export function compileArithmetic(scope: RowScope, call: TypedCall): Value {
  const fn = call.fn as Arithmetic;
  const type = call.args[0]?.type;
  if (type === undefined || type.kind === "null") return nullValue(call.type);
  if (isInteger(type)) return compileInteger(scope, call, fn);
  if (isFloat(type)) return compileFloat(scope, call, fn);

  if (type.kind === "decimal") return compileDecimal(scope, call, fn);
  const text = expressionText(call);
  throw new CodegenError(
    "unsupported",
    `Cannot compile ${text}: ${fn} wants numbers but got ${type.kind}. Cast first.`,
  );
}
