/** Whether text is, begins, ends or contains other text. Literals of up to 16 bytes are compared in place. */
import { invariant } from "../../kernel/mod.ts";
import type { TypedCall, TypedExpression } from "../../plan/mod.ts";
import { type Expr, i32, ifElse } from "../../wasm/mod.ts";
import { bytesEqual } from "../kernels/bytes.ts";
import { findText } from "../kernels/text.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
import { equalsLiteral, INLINE_BYTES_MAX, startsWithLiteral } from "./compare.ts";
import { literalBytes } from "./literals.ts";
import { bytesOf, guardedValue, keep, strictOperands } from "./support.ts";

export interface Text {
  readonly address: Expr<"i32">;
  readonly bytes: Expr<"i32">;
  /** Set where the bytes are known now. */
  readonly literal?: Uint8Array;
}

export function literalText(scope: RowScope, literal: Uint8Array): Text {
  const address = keep(scope, scope.contextWord(scope.program.literal(literal)), "literal");
  return { address, bytes: i32.const(literal.length), literal };
}

/** The operand with its bytes where it is a literal. */
function textOf(value: Value, expression: TypedExpression | undefined): Text {
  const text = bytesOf(value);
  if (expression?.kind !== "literal" || expression.value === null) return text;
  return { address: text.address, bytes: text.bytes, literal: literalBytes(expression.value) };
}

export function equalsText(text: Text, other: Text): Expr<"i32"> {
  const inline = other.literal === undefined ? null : equalsLiteral(text, other.literal);
  if (inline !== null) return inline;
  return ifElse(i32.eq(text.bytes, other.bytes), bytesEqual.call(text.address, other.address, text.bytes), 0);
}

/** `address` is where the part must be; it is there only when the text is long enough. */
function hasPart(text: Text, part: Text, address: Expr<"i32">): Expr<"i32"> {
  const { literal } = part;
  if (literal?.length === 0) return i32.const(1);
  const inline = literal !== undefined && literal.length <= INLINE_BYTES_MAX;
  const same = inline ? startsWithLiteral(address, literal) : bytesEqual.call(address, part.address, part.bytes);
  return ifElse(i32.ge_u(text.bytes, part.bytes), same, 0);
}

export function startsWithText(text: Text, prefix: Text): Expr<"i32"> {
  return hasPart(text, prefix, text.address);
}

export function endsWithText(text: Text, suffix: Text): Expr<"i32"> {
  return hasPart(text, suffix, i32.sub(i32.add(text.address, text.bytes), suffix.bytes));
}

export function compileTextTest(scope: RowScope, call: TypedCall): Value {
  const { args, isNull } = strictOperands(scope, call);
  const [value, part] = args;
  invariant(value !== undefined && part !== undefined, `${call.fn} has two operands`);
  return guardedValue(scope, call.type, isNull, () => {
    const test = textTest(call, textOf(value, call.args[0]), textOf(part, call.args[1]));
    return { repr: "i32", value: keep(scope, test, call.fn) };
  });
}

function textTest(call: TypedCall, text: Text, part: Text): Expr<"i32"> {
  switch (call.fn) {
    case "startsWith":
      return startsWithText(text, part);
    case "endsWith":
      return endsWithText(text, part);
    default:
      return i32.ge_s(findText.call(text.address, text.bytes, part.address, part.bytes), 0);
  }
}
