/**
 * Keys in entries. Equal keys have equal bits: -0 is stored as 0, every NaN as one NaN, nulls as zeros beside a flag.
 *
 *   i32, f32          4 bytes
 *   i64, f64          8 bytes
 *   decimal           16 bytes
 *   strings, binary   16 bytes: first 8 bytes of the value (zero padded), length, address of a copy when longer than 8
 *   null flag         1 byte, for keys that can be null
 */
import type { DataType } from "../../arrow/mod.ts";
import { unreachable } from "../../kernel/mod.ts";
import { type Expr, f32, f64, i32, i64, ifElse, type Local, select } from "../../wasm/mod.ts";
import { copyBytes } from "../emit.ts";
import { bytesEqual } from "../kernels/bytes.ts";
import type { RowScope } from "../scope.ts";
import { type Repr, reprOf, type Value } from "../value.ts";
import { hashBytes, mix } from "./hash.ts";
import { heapAllocate } from "./heap.ts";
import type { Packing } from "./packing.ts";

export interface KeyField {
  readonly type: DataType;
  readonly repr: Repr;
  readonly offset: number;
  /** Offset of the null flag; null when the key is never null. */
  readonly nullOffset: number | null;
}

/** Strings up to this many bytes are in the entry itself. */
export const INLINE_BYTES = 8;

const FIELD_BYTES = { i32: 4, f32: 4, i64: 8, f64: 8, i128: 16, bytes: 16 } as const;

export function keyField(packing: Packing, key: { readonly type: DataType; readonly nullable: boolean }): KeyField {
  const repr = reprOf(key.type);
  const offset = packing.take(FIELD_BYTES[repr]);
  return { type: key.type, repr, offset, nullOffset: key.nullable ? packing.take(1) : null };
}

/** A key's value as it is hashed, compared and stored; all expressions are locals or constants. */
export type KeyParts = { readonly isNull: Expr<"i32"> | null } & (
  | { readonly form: "i32"; readonly value: Expr<"i32"> }
  | { readonly form: "i64"; readonly value: Expr<"i64"> }
  | { readonly form: "i128"; readonly low: Expr<"i64">; readonly high: Expr<"i64"> }
  | {
      readonly form: "bytes";
      readonly prefix: Expr<"i64">;
      readonly bytes: Expr<"i32">;
      readonly address: Expr<"i32">;
    }
);

const NAN_32 = 0x7fc0_0000;
const NAN_64 = 0x7ff8_0000_0000_0000n;

/** Emits the code that brings `value` into key form. */
export function keyParts(scope: RowScope, value: Value): KeyParts {
  const { isNull } = value;
  switch (value.repr) {
    case "i32":
      return { form: "i32", isNull, value: keep32(scope, orZero32(isNull, value.value)) };
    case "i64":
      return { form: "i64", isNull, value: keep64(scope, orZero64(isNull, value.value)) };
    case "f32": {
      const x = value.value;
      const bits = select(f32.eq(x, x), i32.reinterpret_f32(f32.add(x, 0)), NAN_32);
      return { form: "i32", isNull, value: keep32(scope, orZero32(isNull, bits)) };
    }
    case "f64": {
      const x = value.value;
      const bits = select(f64.eq(x, x), i64.reinterpret_f64(f64.add(x, 0)), NAN_64);
      return { form: "i64", isNull, value: keep64(scope, orZero64(isNull, bits)) };
    }
    case "i128": {
      const low = keep64(scope, orZero64(isNull, value.low));
      return { form: "i128", isNull, low, high: keep64(scope, orZero64(isNull, value.high)) };
    }
    case "bytes":
      return bytesParts(scope, value);
    default:
      return unreachable(value);
  }
}

function bytesParts(
  scope: RowScope,
  value: { readonly isNull: Expr<"i32"> | null; readonly address: Expr<"i32">; readonly bytes: Expr<"i32"> },
): KeyParts {
  const { isNull, address } = value;
  const bytes = keep32(scope, orZero32(isNull, value.bytes));
  const mask = i64.sub(i64.shl(i64.const(1n), i64.extend_i32_u(i32.shl(bytes, 3))), 1n);
  const loaded = i64.load(address);
  const prefix = keep64(scope, select(i32.ge_u(bytes, INLINE_BYTES), loaded, i64.and(loaded, mask)));
  return { form: "bytes", isNull, prefix, bytes, address };
}

function orZero32(isNull: Expr<"i32"> | null, value: Expr<"i32">): Expr<"i32"> {
  return isNull === null ? value : select(isNull, 0, value);
}

function orZero64(isNull: Expr<"i32"> | null, value: Expr<"i64">): Expr<"i64"> {
  return isNull === null ? value : select(isNull, 0n, value);
}

function keep32(scope: RowScope, value: Expr<"i32">): Local<"i32"> {
  const local = scope.f.local("i32", "key");
  scope.f.set(local, value);
  return local;
}

function keep64(scope: RowScope, value: Expr<"i64">): Local<"i64"> {
  const local = scope.f.local("i64", "key");
  scope.f.set(local, value);
  return local;
}

/** `hash` with the key mixed in. */
export function hashKey(hash: Expr<"i64"> | null, key: KeyParts): Expr<"i64"> {
  const withFlag = (bits: Expr<"i64">) =>
    key.isNull === null ? bits : i64.xor(bits, i64.shl(i64.extend_i32_u(key.isNull), 63n));
  switch (key.form) {
    case "i32":
      return mix(hash, withFlag(i64.extend_i32_u(key.value)));
    case "i64":
      return mix(hash, withFlag(key.value));
    case "i128":
      return mix(mix(hash, key.low), withFlag(key.high));
    case "bytes": {
      const short = i64.xor(key.prefix, i64.shl(i64.extend_i32_u(key.bytes), 56n));
      const bits = ifElse(i32.le_u(key.bytes, INLINE_BYTES), short, hashBytes.call(key.address, key.bytes));
      return mix(hash, withFlag(bits));
    }
    default:
      return unreachable(key);
  }
}

/** 1 when the entry's key is `key`. */
export function keyEquals(entry: Expr<"i32">, field: KeyField, key: KeyParts): Expr<"i32"> {
  const same = bitsEqual(entry, field, key);
  if (field.nullOffset === null) return same;
  return i32.and(same, i32.eq(i32.load8_u(entry, field.nullOffset), key.isNull ?? 0));
}

function bitsEqual(entry: Expr<"i32">, field: KeyField, key: KeyParts): Expr<"i32"> {
  const { offset } = field;
  switch (key.form) {
    case "i32":
      return i32.eq(i32.load(entry, offset), key.value);
    case "i64":
      return i64.eq(i64.load(entry, offset), key.value);
    case "i128":
      return i32.and(i64.eq(i64.load(entry, offset), key.low), i64.eq(i64.load(entry, offset + 8), key.high));
    case "bytes": {
      const same = i32.and(i64.eq(i64.load(entry, offset), key.prefix), i32.eq(i32.load(entry, offset + 8), key.bytes));
      const long = i32.gt_u(key.bytes, INLINE_BYTES);
      const rest = bytesEqual.call(
        i32.add(key.address, INLINE_BYTES),
        i32.add(i32.load(entry, offset + 12), INLINE_BYTES),
        i32.sub(key.bytes, INLINE_BYTES),
      );
      return ifElse(i32.and(same, long), rest, same);
    }
    default:
      return unreachable(key);
  }
}

/** Emits the stores of `key` into a new entry; long strings are copied to the heap, or shared with where they are. */
export function storeKey(
  scope: RowScope,
  at: { readonly entry: Expr<"i32">; readonly field: KeyField; readonly state: Expr<"i32">; readonly shares?: boolean },
  key: KeyParts,
): void {
  const { f } = scope;
  const { entry, field } = at;
  const { offset } = field;
  if (field.nullOffset !== null && key.isNull !== null) f.emit(i32.store8(entry, key.isNull, field.nullOffset));
  switch (key.form) {
    case "i32":
      f.emit(i32.store(entry, key.value, offset));
      return;
    case "i64":
      f.emit(i64.store(entry, key.value, offset));
      return;
    case "i128":
      f.emit(i64.store(entry, key.low, offset));
      f.emit(i64.store(entry, key.high, offset + 8));
      return;
    case "bytes":
      f.emit(i64.store(entry, key.prefix, offset));
      f.emit(i32.store(entry, key.bytes, offset + 8));
      scope.if(i32.gt_u(key.bytes, INLINE_BYTES), () => {
        const copy = at.shares === true ? key.address : heapAllocate(scope, at.state, key.bytes);
        if (at.shares !== true) f.emit(copyBytes.call(copy, key.address, key.bytes));
        f.emit(i32.store(entry, copy, offset + 12));
      });
      return;
    default:
      unreachable(key);
  }
}

/** Emits the loads of an entry's key into key form, without conversion. */
export function loadKeyParts(scope: RowScope, entry: Expr<"i32">, field: KeyField): KeyParts {
  const { offset } = field;
  const isNull = field.nullOffset === null ? null : keep32(scope, i32.load8_u(entry, field.nullOffset));
  switch (field.repr) {
    case "i32":
    case "f32":
      return { form: "i32", isNull, value: keep32(scope, i32.load(entry, offset)) };
    case "i64":
    case "f64":
      return { form: "i64", isNull, value: keep64(scope, i64.load(entry, offset)) };
    case "i128": {
      const low = keep64(scope, i64.load(entry, offset));
      return { form: "i128", isNull, low, high: keep64(scope, i64.load(entry, offset + 8)) };
    }
    case "bytes": {
      const prefix = keep64(scope, i64.load(entry, offset));
      const bytes = keep32(scope, i32.load(entry, offset + 8));
      return { form: "bytes", isNull, prefix, bytes, address: keep32(scope, i32.load(entry, offset + 12)) };
    }
    default:
      return unreachable(field.repr);
  }
}

/** Emits the load of an entry's key as a value of its type. */
export function loadKey(scope: RowScope, entry: Expr<"i32">, field: KeyField): Value {
  const parts = loadKeyParts(scope, entry, field);
  const { isNull } = parts;
  const { type } = field;
  switch (parts.form) {
    case "i32":
      if (field.repr !== "f32") return { type, isNull, repr: "i32", value: parts.value };
      return { type, isNull, repr: "f32", value: f32.reinterpret_i32(parts.value) };
    case "i64":
      if (field.repr !== "f64") return { type, isNull, repr: "i64", value: parts.value };
      return { type, isNull, repr: "f64", value: f64.reinterpret_i64(parts.value) };
    case "i128":
      return { type, isNull, repr: "i128", low: parts.low, high: parts.high };
    case "bytes": {
      const inline = i32.add(entry, field.offset);
      const address = keep32(scope, select(i32.le_u(parts.bytes, INLINE_BYTES), inline, parts.address));
      return { type, isNull, repr: "bytes", address, bytes: parts.bytes };
    }
    default:
      return unreachable(parts);
  }
}
