/** Text functions. New text lies in scratch memory until the row is done; parts of text point into it. */
import { isString } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import type { TypedCall } from "../../plan/mod.ts";
import { type Expr, i32, i64 } from "../../wasm/mod.ts";
import { copyBytes } from "../emit.ts";
import { CodegenError } from "../error.ts";
import { hostRegexMatch } from "../host_functions.ts";
import { packedAddress, packedBytes, scratchAllocate } from "../kernels/scratch.ts";
import {
  codePointCount,
  lowerText,
  replaceText,
  saturated,
  sliceText,
  TRIM,
  trimText,
  upperText,
} from "../kernels/text.ts";
import type { RowScope } from "../scope.ts";
import type { Value, ValueParts } from "../value.ts";
import { integerParts, widen } from "./integer_ranges.ts";
import { bytesOf, guardedValue, keep, keepParts, strictOperands } from "./support.ts";

/** Parts of a packed text result. */
export function unpackText(scope: RowScope, packed: Expr<"i64">): ValueParts {
  const kept = keep(scope, packed, "text");
  return keepParts(scope, { repr: "bytes", address: packedAddress(kept), bytes: packedBytes(kept) }, "text");
}

/** Operands as texts, computed only where none is null. */
function textFunction(scope: RowScope, call: TypedCall, compute: (args: readonly Value[]) => ValueParts): Value {
  const { args, isNull } = strictOperands(scope, call);
  return guardedValue(scope, call.type, isNull, () => compute(args));
}

function textArg(args: readonly Value[], index = 0) {
  const value = args[index];
  invariant(value !== undefined, `operand ${index} of a text function`);
  return bytesOf(value);
}

/** Code points of text, bytes of binary. */
export function compileLength(scope: RowScope, call: TypedCall): Value {
  return textFunction(scope, call, (args) => {
    const { address, bytes } = textArg(args);
    const count = isString((args[0] as Value).type) ? codePointCount.call(address, bytes) : bytes;
    return keepParts(scope, integerParts(call.type, i64.extend_i32_u(count)));
  });
}

export function compileCaseChange(scope: RowScope, call: TypedCall): Value {
  scope.program.usesScratch = true;
  const kernel = call.fn === "lower" ? lowerText : upperText;
  return textFunction(scope, call, (args) => {
    const { address, bytes } = textArg(args);
    return unpackText(scope, kernel.call(scope.ctx, address, bytes));
  });
}

export function compileTrim(scope: RowScope, call: TypedCall): Value {
  scope.program.usesScratch = true;
  const sides = call.fn === "trim" ? TRIM.start + TRIM.end : call.fn === "trimStart" ? TRIM.start : TRIM.end;
  return textFunction(scope, call, (args) => {
    const { address, bytes } = textArg(args);
    return unpackText(scope, trimText.call(scope.ctx, address, bytes, sides));
  });
}

const REST = (1n << 63n) - 1n;

export function compileSlice(scope: RowScope, call: TypedCall): Value {
  return textFunction(scope, call, (args) => {
    const { address, bytes } = textArg(args);
    const [, start, count] = args;
    invariant(start !== undefined, "slice has a start");
    const wanted = count === undefined ? i64.const(REST) : widen(count);
    return unpackText(scope, sliceText.call(address, bytes, widen(start), wanted));
  });
}

export function compileReplace(scope: RowScope, call: TypedCall): Value {
  scope.program.usesScratch = true;
  return textFunction(scope, call, (args) => {
    const [text, from, to] = [textArg(args), textArg(args, 1), textArg(args, 2)];
    const packed = replaceText.callWith({
      ctx: scope.ctx,
      text: text.address,
      bytes: text.bytes,
      from: from.address,
      fromBytes: from.bytes,
      to: to.address,
      toBytes: to.bytes,
    });
    return unpackText(scope, packed);
  });
}

export function compileConcat(scope: RowScope, call: TypedCall): Value {
  scope.program.usesScratch = true;
  return textFunction(scope, call, (args) => {
    const { f } = scope;
    const parts = args.map((_, index) => textArg(args, index));
    const total = parts.reduce<Expr<"i64">>((sum, part) => i64.add(sum, i64.extend_i32_u(part.bytes)), i64.const(0n));
    const bytes = keep(scope, saturated(keep(scope, total, "total")), "bytes");
    const address = keep(scope, scratchAllocate.call(scope.ctx, bytes), "concat");
    const end = f.local("i32", "end");
    f.set(end, address);
    for (const part of parts) {
      f.emit(copyBytes.call(end, part.address, part.bytes));
      f.set(end, i32.add(end, part.bytes));
    }
    return { repr: "bytes", address, bytes };
  });
}

export function compileRegexMatch(scope: RowScope, call: TypedCall): Value {
  const pattern = call.args[1];
  invariant(pattern?.kind === "literal", "the pattern of regexMatch is a literal");
  checkPattern(String(pattern.value));
  const id = scope.program.pattern(String(pattern.value));
  return textFunction(scope, call, (args) => {
    const { address, bytes } = textArg(args);
    return { repr: "i32", value: keep(scope, hostRegexMatch.call(id, address, bytes)) };
  });
}

/** Throws `CodegenError` for what is no regular expression. */
function checkPattern(pattern: string): void {
  try {
    new RegExp(pattern, "u");
  } catch (cause) {
    const message = `Cannot compile regexMatch: "${pattern}" is no regular expression: ${(cause as Error).message}`;
    throw new CodegenError("unsupported", message, { cause });
  }
}
