/**
 * Short cut for keys of small domains: dictionary indices, booleans, bytes, strings of one byte. The combination of a
 * row's keys is numbered, and an array gives the group's entry by that number. A number seen for the first time goes
 * through the hash table. The array is the host's: it clears it when a dictionary changes.
 */
import { isString } from "../../arrow/mod.ts";
import type { NamedExpression } from "../../plan/mod.ts";
import { type Expr, i32, type Local, select } from "../../wasm/mod.ts";
import type { MemoKey } from "../program.ts";
import type { RowScope } from "../scope.ts";
import { MEMO_KEYS_MAX, memoSizeWord, StateWord } from "./memory_layout.ts";

interface KeyNumber {
  readonly domain: MemoKey;
  readonly isNull: Expr<"i32"> | null;
  readonly number: Expr<"i32">;
  /** 0 where the value lies outside of the domain; null when it never does. */
  readonly inDomain: Expr<"i32"> | null;
}

/** Address of the row's place in the array, 0 where it has none; null when a key's domain is not small. */
export function memoPlace(scope: RowScope, keys: readonly NamedExpression[], state: Local<"i32">): Local<"i32"> | null {
  if (keys.length > MEMO_KEYS_MAX || !keys.every((key) => hasSmallDomain(scope, key))) return null;
  const { f } = scope;
  const numbers = keys.map((key) => keyNumber(scope, key));
  scope.program.memoKeys = numbers.map(({ domain }) => domain);
  const place = f.local("i32", "place");
  numbers.forEach((key, index) => {
    const size = i32.load(state, memoSizeWord(index));
    const number = key.isNull === null ? key.number : select(key.isNull, i32.sub(size, 1), key.number);
    f.set(place, index === 0 ? number : i32.add(i32.mul(place, size), number));
  });
  const memo = f.local("i32", "memo");
  f.set(memo, i32.load(state, StateWord.memo));
  const outside = numbers.flatMap(({ inDomain }) => (inDomain === null ? [] : [inDomain]));
  const usable = outside.reduce((all: Expr<"i32">, flag) => i32.and(all, flag), i32.ne(memo, 0));
  f.set(place, select(usable, i32.add(memo, i32.shl(place, 2)), 0));
  return place;
}

const BYTE_VALUES = 256;

function hasSmallDomain(scope: RowScope, { expression }: NamedExpression): boolean {
  const { kind } = expression.type;
  if (kind === "bool" || kind === "int8" || kind === "uint8") return true;
  if (expression.kind !== "column") return false;
  return isString(expression.type) || (scope.origin(expression.name)?.index ?? null) !== null;
}

function keyNumber(scope: RowScope, { expression }: NamedExpression): KeyNumber {
  const origin = expression.kind === "column" ? scope.origin(expression.name) : null;
  const index = origin?.index ?? null;
  if (origin !== null && index !== null) {
    const domain = { kind: "dictionary", inputColumn: origin.inputColumn } as const;
    return { domain, isNull: origin.isNull?.() ?? null, number: index(), inDomain: null };
  }
  const value = scope.evaluate(expression);
  const { isNull } = value;
  if (value.repr === "bytes") {
    const inDomain = i32.eq(value.bytes, 1);
    return {
      domain: { kind: "values", count: BYTE_VALUES },
      isNull,
      number: i32.load8_u(value.address),
      inDomain: isNull === null ? inDomain : i32.or(inDomain, isNull),
    };
  }
  const count = expression.type.kind === "bool" ? 2 : BYTE_VALUES;
  const number = value.repr === "i32" ? i32.and(value.value, BYTE_VALUES - 1) : i32.const(0);
  return { domain: { kind: "values", count }, isNull, number, inDomain: null };
}
