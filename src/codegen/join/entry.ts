/** Code that reads and writes entries. */
import { isSignedInteger, isTemporal } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import type { TypedExpression } from "../../plan/mod.ts";
import { type Expr, f32, f64, i32, i64, type Local } from "../../wasm/mod.ts";
import { finishHash, hashKey, type KeyParts, keyParts, loadKey } from "../aggregate/mod.ts";
import type { Binding, RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
import type { EntryLayout } from "./layout.ts";

export interface RowKeys {
  readonly parts: readonly KeyParts[];
  /** 1 when a key is null; null when none can be. */
  readonly anyNull: Local<"i32"> | null;
}

/** Emits the computation of a row's keys. */
export function evaluateKeys(scope: RowScope, keys: readonly TypedExpression[]): RowKeys {
  const parts = keys.map((key) => keyParts(scope, scope.evaluate(key)));
  const flags = parts.flatMap(({ isNull }) => (isNull === null ? [] : [isNull]));
  const notNull = parts.map((part): KeyParts => ({ ...part, isNull: null }));
  if (flags.length === 0) return { parts: notNull, anyNull: null };
  const anyNull = scope.f.local("i32", "anyNull");
  scope.f.set(
    anyNull,
    flags.reduce((a, b) => i32.or(a, b)),
  );
  return { parts: notNull, anyNull };
}

/** Emits the 32-bit hash of keys. */
export function hashKeys(scope: RowScope, keys: readonly KeyParts[]): Local<"i32"> {
  const { f } = scope;
  const wide = f.local("i64", "hash64");
  const hash = f.local("i32", "hash");
  keys.forEach((key, index) => f.set(wide, hashKey(index === 0 ? null : wide, key)));
  f.set(hash, i32.wrap_i64(i64.shr_u(finishHash(wide), 32n)));
  return hash;
}

/** A column's value in the form that is stored: unlike a key with its bits unchanged. */
export function columnParts(scope: RowScope, value: Value): KeyParts {
  const { f } = scope;
  if (value.repr === "f32") {
    const bits = f.local("i32", "bits");
    f.set(bits, i32.reinterpret_f32(value.value));
    return { form: "i32", isNull: value.isNull, value: bits };
  }
  if (value.repr === "f64") {
    const bits = f.local("i64", "bits");
    f.set(bits, i64.reinterpret_f64(value.value));
    return { form: "i64", isNull: value.isNull, value: bits };
  }
  return keyParts(scope, value);
}

/** Bindings of the entry's columns, loaded where they are first needed. */
export function entryBindings(scope: RowScope, layout: EntryLayout, entry: Expr<"i32">): Map<string, Binding> {
  const bindings = new Map<string, Binding>();
  for (const [name, { field }] of layout.columns) {
    bindings.set(name, { load: () => kept(scope, loadKey(scope, entry, field)), origin: null });
  }
  return bindings;
}

/** Floats are loaded as bits: keeps them in a local of their own. */
function kept(scope: RowScope, value: Value): Value {
  const { f } = scope;
  if (value.repr === "f32") {
    const local = f.local("f32", "column");
    f.set(local, value.value);
    return { ...value, value: local };
  }
  if (value.repr === "f64") {
    const local = f.local("f64", "column");
    f.set(local, value.value);
    return { ...value, value: local };
  }
  return value;
}

/** A null of every type, for the columns of the side that has no row. */
export function nullValue(type: Value["type"], repr: Value["repr"]): Value {
  const base = { type, isNull: i32.const(1) };
  switch (repr) {
    case "i32":
      return { ...base, repr, value: i32.const(0) };
    case "i64":
      return { ...base, repr, value: i64.const(0n) };
    case "f32":
      return { ...base, repr, value: f32.const(0) };
    case "f64":
      return { ...base, repr, value: f64.const(0) };
    case "i128":
      return { ...base, repr, low: i64.const(0n), high: i64.const(0n) };
    case "bytes":
      return { ...base, repr, address: i32.const(0), bytes: i32.const(0) };
  }
}

/** A whole-number key as an int64 in the order that `isUnsigned` says. */
export function wideKey(type: TypedExpression["type"], key: KeyParts): Expr<"i64"> {
  invariant(key.form === "i32" || key.form === "i64", "a dense key is a whole number");
  if (key.form === "i64") return key.value;
  return isSignedInteger(type) || isTemporal(type) ? i64.extend_i32_s(key.value) : i64.extend_i32_u(key.value);
}

/** Only uint64 uses the top bit of an int64 for size. */
export function isUnsigned(type: TypedExpression["type"]): boolean {
  return type.kind === "uint64";
}
