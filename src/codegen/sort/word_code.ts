/** Code that computes the words of a row's keys. */
import type { DataType } from "../../arrow/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import { type Expr, type FunctionBuilder, f32, f64, i8x16, i32, i64, i64x2, select, v128 } from "../../wasm/mod.ts";
import type { Value } from "../value.ts";
import {
  CHUNK_BYTES,
  CHUNK_COUNT_SHIFT,
  CHUNK_MORE,
  CHUNK_SHIFT,
  type KeyShape,
  pieceBits,
  WORD_BITS,
  type Word,
  type WordPart,
} from "./words.ts";

/** What writing code for a row needs of a function builder, whatever its signature. */
export type Code = Pick<FunctionBuilder, "local" | "set" | "tee" | "emit" | "if">;

const SIGN_64 = -(2n ** 63n);
const NAN_32 = 0x7fc0_0000;
const NAN_64 = 0x7ff8_0000_0000_0000n;
const BIG_ENDIAN = [7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8];

export interface WordSource {
  readonly keys: readonly KeyShape[];
  /** Emits the load of a key's value; remembers it for the row. */
  readonly value: (key: number) => Value;
  /** Of a bytes word: the string's byte that it starts with; null for 0. */
  readonly offset: Expr<"i32"> | null;
}

/** Emits the code for one word; the result is a local. */
export function wordCode(code: Code, word: Word, source: WordSource): Expr<"i64"> {
  const result = code.local("i64", "word");
  code.set(result, word.kind === "bytes" ? bytesWord(code, word.key, source) : fixedWord(code, word.parts, source));
  return result;
}

/** 1 where strings go on after a bytes word. */
export function hasMore(word: Expr<"i64">, shape: KeyShape): Expr<"i32"> {
  const plain = shape.descending ? i64.xor(word, -1n) : word;
  return i64.eq(i64.and(i64.shr_u(plain, BigInt(CHUNK_COUNT_SHIFT)), 15n), BigInt(CHUNK_MORE));
}

function fixedWord(code: Code, parts: readonly WordPart[], source: WordSource): Expr<"i64"> {
  const pieces = new Map<number, readonly Expr<"i64">[]>();
  let word: Expr<"i64"> | null = null;
  let known = 0n;
  for (const part of parts) {
    const shape = source.keys[part.key];
    invariant(shape !== undefined, "a word part is of a key");
    const value = source.value(part.key);
    let bits: Expr<"i64">;
    if (part.piece === "null") {
      if (value.isNull === null) {
        if (shape.nullsFirst) known |= 1n << BigInt(part.to);
        continue;
      }
      bits = nullFlag(value, shape);
    } else {
      const made = pieces.get(part.key) ?? normalPieces(code, value, shape);
      pieces.set(part.key, made);
      bits = cut(made[part.piece] as Expr<"i64">, part, (pieceBits(shape.type) ?? [])[part.piece] ?? WORD_BITS);
    }
    const moved = part.to === 0 ? bits : i64.shl(bits, BigInt(part.to));
    word = word === null ? moved : i64.or(word, moved);
  }
  const flags = BigInt.asIntN(WORD_BITS, known);
  if (word === null) return i64.const(flags);
  return flags === 0n ? word : i64.or(word, flags);
}

function cut(piece: Expr<"i64">, part: WordPart, pieceWidth: number): Expr<"i64"> {
  const low = part.from === 0 ? piece : i64.shr_u(piece, BigInt(part.from));
  return part.from + part.bits === pieceWidth ? low : i64.and(low, 2n ** BigInt(part.bits) - 1n);
}

/** Bit that puts nulls first or last. */
function nullFlag(value: Value, shape: KeyShape): Expr<"i64"> {
  const isNull = value.isNull ?? i32.const(0);
  return i64.extend_i32_u(shape.nullsFirst ? i32.eqz(isNull) : isNull);
}

/** The value as unsigned integers in the key's order; zeros (descending: ones) where null. */
function normalPieces(code: Code, value: Value, shape: KeyShape): readonly Expr<"i64">[] {
  const widths = pieceBits(shape.type) ?? [];
  return ascendingPieces(value, shape.type).map((piece, i) => {
    const present = value.isNull === null ? piece : select(value.isNull, i64.const(0n), piece);
    const local = code.local("i64", "piece");
    code.set(local, shape.descending ? i64.xor(present, ones(widths[i] ?? WORD_BITS)) : present);
    return local;
  });
}

function ones(bits: number): bigint {
  return BigInt.asIntN(WORD_BITS, 2n ** BigInt(bits) - 1n);
}

function ascendingPieces(value: Value, type: DataType): readonly Expr<"i64">[] {
  switch (value.repr) {
    case "i32":
      return [ordered32(value.value, type)];
    case "i64":
      return [type.kind === "uint64" ? value.value : i64.xor(value.value, SIGN_64)];
    case "f32": {
      const x = value.value;
      const bits = select(f32.eq(x, x), i32.reinterpret_f32(f32.add(x, 0)), NAN_32);
      // All bits of a negative number are flipped, of a positive one the sign.
      const flip = i32.or(i32.shr_s(bits, 31), -(2 ** 31));
      return [i64.extend_i32_u(i32.xor(bits, flip))];
    }
    case "f64": {
      const x = value.value;
      const bits = select(f64.eq(x, x), i64.reinterpret_f64(f64.add(x, 0)), NAN_64);
      return [i64.xor(bits, i64.or(i64.shr_s(bits, 63n), SIGN_64))];
    }
    case "i128":
      return [i64.xor(value.high, SIGN_64), value.low];
    case "bytes":
      return invariant(false, "byte strings have words of their own") as never;
    default:
      return unreachable(value);
  }
}

function ordered32(value: Expr<"i32">, type: DataType): Expr<"i64"> {
  switch (type.kind) {
    case "int8":
      return i64.extend_i32_u(i32.add(value, 0x80));
    case "int16":
      return i64.extend_i32_u(i32.add(value, 0x8000));
    case "bool":
    case "uint8":
    case "uint16":
    case "uint32":
      return i64.extend_i32_u(value);
    default:
      return i64.extend_i32_u(i32.xor(value, -(2 ** 31)));
  }
}

function bytesWord(code: Code, key: number, source: WordSource): Expr<"i64"> {
  const shape = source.keys[key];
  const value = source.value(key);
  invariant(shape !== undefined && value.repr === "bytes", "a bytes word is of a byte string");
  const left = code.local("i32", "left");
  const present = value.isNull === null ? value.bytes : select(value.isNull, i32.const(0), value.bytes);
  code.set(left, source.offset === null ? present : i32.sub(present, source.offset));
  const count = code.local("i32", "count");
  code.set(count, select(i32.gt_u(left, CHUNK_BYTES), i32.const(CHUNK_MORE), left));
  const chunk = code.local("i64", "chunk");
  code.set(chunk, i64.const(0n));
  code.if(count, () => {
    const at = source.offset === null ? value.address : i32.add(value.address, source.offset);
    const swapped = i64x2.extract_lane(i8x16.shuffle(BIG_ENDIAN, v128.load64_splat(at), v128.load64_splat(at)), 0);
    const kept = select(i32.gt_u(count, CHUNK_BYTES), i32.const(CHUNK_BYTES), count);
    const mask = i64.xor(i64.shr_u(i64.const(-1n), i64.extend_i32_u(i32.shl(kept, 3))), -1n);
    code.set(chunk, i64.shl(i64.shr_u(i64.and(swapped, mask), 8n), BigInt(CHUNK_SHIFT)));
  });
  const packed = i64.or(chunk, i64.shl(i64.extend_i32_u(count), BigInt(CHUNK_COUNT_SHIFT)));
  const ordered = shape.descending ? i64.xor(packed, 2n ** 63n - 1n) : packed;
  return shape.nullable ? i64.or(i64.shl(nullFlag(value, shape), 63n), ordered) : ordered;
}
