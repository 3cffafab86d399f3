/**
 * Skipping rows by vectors: before a row is looked at by itself, rows are compared many at a time with the first key of
 * a threshold. Rows that are left may still not pass; rows that are skipped cannot.
 */
import { type DataType, valueType } from "../../arrow/mod.ts";
import { type Expr, f32, f32x4, f64, f64x2, i32, i32x4, i64, i64x2, type Local, select, v128 } from "../../wasm/mod.ts";
import { elementAt, inputWord } from "../column_load.ts";
import type { RowScope } from "../scope.ts";
import type { BlockInput } from "../steps.ts";
import type { KeyShape, Word } from "./words.ts";
import { pieceBits, WORD_BITS } from "./words.ts";

/** Vectors that are compared before the next branch. */
const VECTORS = 4;
const VECTOR_BYTES = 16;

interface Lanes {
  /** Bytes of a lane as a power of two. */
  readonly shift: number;
  /** A vector of the value whose order-preserving form is `normal`. */
  splat(normal: Expr<"i64">): Expr<"v128">;
  /** Lanes after `bound` are not all zeros. */
  after(values: Expr<"v128">, bound: Expr<"v128">, descending: boolean): Expr<"v128">;
}

export interface SkipTarget {
  /** Position and type of the first key's column in the input. */
  readonly inputColumn: number;
  readonly lanes: Lanes;
}

/** What to compare; null where the first key is not a column of vectors' lanes without nulls. */
export function skipTarget(column: string | null, input: BlockInput): SkipTarget | null {
  const inputColumn = input.columns.findIndex(({ name }) => name === column);
  const found = input.columns[inputColumn];
  if (found === undefined || found.validity || found.encoding !== "plain") return null;
  const lanes = lanesOf(valueType(found.type));
  return lanes === null ? null : { inputColumn, lanes };
}

function lanesOf(type: DataType): Lanes | null {
  switch (type.kind) {
    case "int32":
    case "date32":
      return INT32;
    case "int64":
    case "timestamp":
    case "duration":
      return INT64;
    case "float32":
      return FLOAT32;
    case "float64":
      return FLOAT64;
    default:
      return null;
  }
}

const SIGN_32 = -(2 ** 31);
const SIGN_64 = -(2n ** 63n);

const INT32: Lanes = {
  shift: 2,
  splat: (normal) => i32x4.splat(i32.xor(i32.wrap_i64(normal), SIGN_32)),
  after: (values, bound, descending) => (descending ? i32x4.lt_s(values, bound) : i32x4.gt_s(values, bound)),
};

const INT64: Lanes = {
  shift: 3,
  splat: (normal) => i64x2.splat(i64.xor(normal, SIGN_64)),
  after: (values, bound, descending) => (descending ? i64x2.lt_s(values, bound) : i64x2.gt_s(values, bound)),
};

/** Not-a-number, as value or as bound, is never after: it is left to the code for single rows. */
const FLOAT32: Lanes = {
  shift: 2,
  splat: (normal) => {
    const bits = i32.wrap_i64(normal);
    const flip = i32.or(i32.xor(i32.shr_s(bits, 31), -1), SIGN_32);
    return f32x4.splat(f32.reinterpret_i32(i32.xor(bits, flip)));
  },
  after: (values, bound, descending) => (descending ? f32x4.lt(values, bound) : f32x4.gt(values, bound)),
};

const FLOAT64: Lanes = {
  shift: 3,
  splat: (normal) => {
    const flip = i64.or(i64.xor(i64.shr_s(normal, 63n), -1n), SIGN_64);
    return f64x2.splat(f64.reinterpret_i64(i64.xor(normal, flip)));
  },
  after: (values, bound, descending) => (descending ? f64x2.lt(values, bound) : f64x2.gt(values, bound)),
};

export interface SkipBound {
  readonly vector: Local<"v128">;
  readonly data: Local<"i32">;
  /** 0 when nothing may be skipped. */
  readonly active: Local<"i32">;
}

/** Emits what is the same for all rows; `word` is the threshold's first word, made as `plan` says. */
export function skipBound(
  scope: RowScope,
  target: SkipTarget,
  from: { readonly word: Local<"i64">; readonly open: Local<"i32">; readonly plan: Word; readonly shape: KeyShape },
): SkipBound | null {
  const { f } = scope;
  const { plan, shape, word } = from;
  if (plan.kind === "bytes") return null;
  const part = plan.parts.find(({ key, piece }) => key === 0 && piece === 0);
  const flag = plan.parts.find(({ key, piece }) => key === 0 && piece === "null");
  const width = pieceBits(shape.type)?.[0];
  if (part === undefined || flag === undefined || width === undefined) return null;
  const active = f.local("i32", "skipping");
  // A bound that is null says nothing about other rows.
  const isValue = i64.eq(i64.and(i64.shr_u(word, BigInt(flag.to)), 1n), shape.nullsFirst ? 1n : 0n);
  f.set(active, select(from.open, i32.const(0), isValue));
  // Bits that the word has no room for are taken as the ones that let most rows pass.
  const kept = i64.and(i64.shr_u(word, BigInt(part.to)), lowBits(part.bits));
  const padded = part.from === 0 ? kept : i64.or(i64.shl(kept, BigInt(part.from)), lowBits(part.from));
  const normal = f.local("i64", "normal");
  f.set(normal, shape.descending ? i64.xor(padded, lowBits(width)) : padded);
  const vector = f.local("v128", "bounds");
  f.set(vector, target.lanes.splat(normal));
  const data = f.local("i32", "keys");
  f.set(data, i32.load(scope.ctx, scope.program.context.word(inputWord([target.inputColumn], "data"))));
  return { vector, data, active };
}

function lowBits(bits: number): bigint {
  return BigInt.asIntN(WORD_BITS, (1n << BigInt(bits)) - 1n);
}

/** Emits the loop that moves `row` past blocks of rows that all come after the bound. */
export function skipCode(
  scope: RowScope,
  target: SkipTarget,
  options: { bound: SkipBound; descending: boolean },
): void {
  const { f, row } = scope;
  const { lanes } = target;
  const { vector, data, active } = options.bound;
  const blockRows = (VECTORS * VECTOR_BYTES) >>> lanes.shift;
  const at = f.local("i32", "at");
  f.if(active, () => {
    f.loop((again) => {
      f.if(i32.le_u(i32.add(row, blockRows), f.params.end), () => {
        f.set(at, elementAt(data, row, lanes.shift));
        const masks = Array.from({ length: VECTORS }, (_, i) =>
          lanes.after(v128.load(at, i * VECTOR_BYTES), vector, options.descending),
        );
        const all = masks.reduce((a, b) => v128.and(a, b));
        f.if(i32x4.all_true(all), () => {
          f.set(row, i32.add(row, blockRows));
          f.br(again);
        });
      });
    });
  });
}
