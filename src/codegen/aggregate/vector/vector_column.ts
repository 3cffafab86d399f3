import type { DataType } from "../../../arrow/mod.ts";
import { type Expr, f64x2, i16x8, i32x4, i64x2, type Local, v128 } from "../../../wasm/mod.ts";
import type { InputColumn } from "../../program.ts";
import { kept, type Pair, type VectorCode, type VectorForm } from "./vector_value.ts";

/** How a pair of a type is loaded: `bytes` of one value, and the load of two at `address` + `offset`. */
interface PairLoad {
  readonly form: VectorForm;
  readonly bytes: number;
  readonly load: (address: Local<"i32">, offset: number) => Expr<"v128">;
}

const ZERO = v128.const(Array.from({ length: 16 }, () => 0));

const LOADS: Partial<Record<DataType["kind"], PairLoad>> = {
  int8: { form: "i64", bytes: 1, load: (at, offset) => widenBytes(v128.load16_lane(at, ZERO, 0, offset)) },
  int16: {
    form: "i64",
    bytes: 2,
    load: (at, offset) => i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(v128.load32_zero(at, offset))),
  },
  int32: { form: "i64", bytes: 4, load: (at, offset) => v128.load32x2_s(at, offset) },
  uint32: { form: "i64", bytes: 4, load: (at, offset) => v128.load32x2_u(at, offset) },
  date32: { form: "i64", bytes: 4, load: (at, offset) => v128.load32x2_s(at, offset) },
  int64: { form: "i64", bytes: 8, load: (at, offset) => v128.load(at, offset) },
  timestamp: { form: "i64", bytes: 8, load: (at, offset) => v128.load(at, offset) },
  duration: { form: "i64", bytes: 8, load: (at, offset) => v128.load(at, offset) },
  float32: { form: "f64", bytes: 4, load: (at, offset) => f64x2.promote_low_f32x4(v128.load64_zero(at, offset)) },
  float64: { form: "f64", bytes: 8, load: (at, offset) => v128.load(at, offset) },
};

function widenBytes(bytes: Expr<"v128">): Expr<"v128"> {
  return i64x2.extend_low_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(bytes)));
}

/** Bytes of one value of a type that has a vector form; undefined for others. */
export function vectorBytes(type: DataType): number | undefined {
  return LOADS[type.kind]?.bytes;
}

export function vectorColumn(column: InputColumn, inputColumn: number): VectorCode | null {
  const load = LOADS[column.type.kind];
  if (load === undefined || column.encoding !== "plain") return null;
  return {
    form: load.form,
    emit(pair) {
      const key = `input ${inputColumn}`;
      const known = pair.known.get(key);
      if (known !== undefined) return known;
      const value = kept(pair, load.load(pair.data(inputColumn), 2 * load.bytes * pair.index));
      const isNull = column.validity ? kept(pair, nullMask(pair, inputColumn)) : null;
      const loaded = { value, isNull };
      pair.known.set(key, loaded);
      return loaded;
    },
  };
}

/** Lanes all ones where the pair's validity bit is clear. */
function nullMask(pair: Pair, inputColumn: number): Expr<"v128"> {
  const bits = Array.from({ length: 16 }, () => 0);
  bits[0] = 1 << (2 * pair.index);
  bits[8] = 2 << (2 * pair.index);
  return i64x2.eq(v128.and(pair.validity(inputColumn), v128.const(bits)), ZERO);
}
