import type { DataType } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import type { LiteralValue } from "../../plan/mod.ts";
import { f32, f64, i32, i64 } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import { reprOf, type Value, type ValueParts } from "../value.ts";
import { keep, nullValue } from "./support.ts";

const encoder = new TextEncoder();

/** The bytes of a utf8 or binary literal; lone surrogates become U+FFFD, as everywhere in Arrow. */
export function literalBytes(value: LiteralValue): Uint8Array {
  if (typeof value === "string") return encoder.encode(value);
  invariant(value instanceof Uint8Array, "a text or binary literal is a string or bytes");
  return value;
}

/** A literal as constants; the address of bytes is read from the context block into a local. */
export function literalValue(scope: RowScope, type: DataType, value: LiteralValue): Value {
  if (value === null) return nullValue(type);
  return { type, isNull: null, ...literalParts(scope, type, value) };
}

function literalParts(scope: RowScope, type: DataType, value: Exclude<LiteralValue, null>): ValueParts {
  const repr = reprOf(type);
  switch (repr) {
    case "i32":
      return { repr, value: i32.const(Number(value)) };
    case "i64":
      return { repr, value: i64.const(bigintOf(value)) };
    case "f32":
      return { repr, value: f32.const(Number(value)) };
    case "f64":
      return { repr, value: f64.const(Number(value)) };
    case "i128": {
      const wide = bigintOf(value);
      return { repr, low: i64.const(BigInt.asIntN(64, wide)), high: i64.const(BigInt.asIntN(64, wide >> 64n)) };
    }
    case "bytes": {
      const bytes = literalBytes(value);
      const address = scope.contextWord(scope.program.literal(bytes));
      return { repr, address: keep(scope, address, "literal"), bytes: i32.const(bytes.length) };
    }
  }
}

function bigintOf(value: LiteralValue): bigint {
  invariant(typeof value === "bigint" || typeof value === "number", "a 64-bit or decimal literal is a bigint");
  return BigInt(value);
}
