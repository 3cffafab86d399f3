import type { Address } from "../../arrow/mod.ts";
import { type FunctionBuilder, f64, i32, i64, type Local, type ModuleBuilder } from "../../wasm/mod.ts";
import { kernelsOnce } from "../kernel_module.ts";
import { END_MASK } from "./rows.ts";

/**
 * Numbers of a column of fields, as WebAssembly. For each row a byte of `states` tells what became of it; what is not a
 * short plain number is left to `convert.ts`.
 */
export interface NumberKernels {
  /**
   * `starts`, `ends`: of the column's first field; `strideBytes` to the next row's. 8 bytes a row go to `target`. Gives
   * the states of all rows or-ed together.
   */
  longs(
    bytes: Address,
    starts: Address,
    ends: Address,
    strideBytes: number,
    rows: number,
    target: Address,
    states: Address,
  ): number;
  doubles(
    bytes: Address,
    starts: Address,
    ends: Address,
    strideBytes: number,
    rows: number,
    target: Address,
    states: Address,
  ): number;
}

/** The value is stored. */
export const STATE_DONE = 0;
/** Empty and not quoted, or marked as null; zero is stored. */
export const STATE_EMPTY = 1;
/** Not looked at further. */
export const STATE_OTHER = 2;

/** Digits that int64 and a float64's exact integers hold whatever they are. */
const LONG_DIGITS_MAX = 18;
const DOUBLE_DIGITS_MAX = 15;

export const numberKernels = kernelsOnce<NumberKernels>((module) => {
  buildKernel(module, "longs");
  buildKernel(module, "doubles");
});

const PARAMS = {
  bytes: "i32",
  starts: "i32",
  ends: "i32",
  stride: "i32",
  rows: "i32",
  target: "i32",
  states: "i32",
} as const;

interface Parse {
  readonly f: FunctionBuilder<typeof PARAMS, readonly ["i32"]>;
  /** Address of the next byte, and of the field's end. */
  readonly at: Local<"i32">;
  readonly end: Local<"i32">;
  readonly byte: Local<"i32">;
  readonly negative: Local<"i32">;
  readonly value: Local<"i64">;
  readonly digits: Local<"i32">;
  readonly state: Local<"i32">;
}

function buildKernel(module: ModuleBuilder, name: "longs" | "doubles"): void {
  const f = module.function(name, { params: PARAMS, results: ["i32"], export: true });
  const { bytes, starts, ends, stride, rows, target, states } = f.params;
  const all = f.local("i32", "all");
  const start = f.local("i32", "start");
  const parse: Parse = {
    f,
    at: f.local("i32", "at"),
    end: f.local("i32", "end"),
    byte: f.local("i32", "byte"),
    negative: f.local("i32", "negative"),
    value: f.local("i64", "value"),
    digits: f.local("i32", "digits"),
    state: f.local("i32", "state"),
  };
  const { at, end, byte, negative, state } = parse;
  f.while(rows, () => {
    f.set(start, i32.load(starts));
    f.set(end, i32.load(ends));
    f.if(
      i32.or(i32.lt_s(start, 0), i32.eq(start, end)),
      () => {
        f.set(state, STATE_EMPTY);
        f.emit(i64.store(target, 0n));
      },
      () => {
        f.set(state, STATE_OTHER);
        f.set(at, i32.add(bytes, start));
        f.set(end, i32.add(bytes, i32.and(end, END_MASK)));
        f.set(byte, i32.load8_u(at));
        f.set(negative, i32.eq(byte, 45));
        f.if(i32.or(negative, i32.eq(byte, 43)), () => f.set(at, i32.add(at, 1)));
        if (name === "longs") long(parse, target);
        else double(parse, target);
      },
    );
    f.emit(i32.store8(states, state));
    f.set(all, i32.or(all, state));
    f.set(starts, i32.add(starts, stride));
    f.set(ends, i32.add(ends, stride));
    f.set(target, i32.add(target, 8));
    f.set(states, i32.add(states, 1));
    f.set(rows, i32.sub(rows, 1));
  });
  f.return(all);
}

/** Adds digits to `value` and counts them; stops at another byte or the end. Too many wrap around: they are counted. */
function readDigits(parse: Parse): void {
  const { f, at, end, byte, value, digits } = parse;
  f.block((done) => {
    f.loop((again) => {
      f.brIf(done, i32.ge_u(at, end));
      f.set(byte, i32.sub(i32.load8_u(at), 48));
      f.brIf(done, i32.gt_u(byte, 9));
      f.set(value, i64.add(i64.mul(value, 10n), i64.extend_i32_u(byte)));
      f.set(digits, i32.add(digits, 1));
      f.set(at, i32.add(at, 1));
      f.br(again);
    });
  });
}

function long(parse: Parse, target: Local<"i32">): void {
  const { f, at, end, negative, value, digits, state } = parse;
  f.set(value, 0n);
  f.set(digits, 0);
  readDigits(parse);
  const plain = i32.and(i32.eq(at, end), i32.lt_u(i32.sub(digits, 1), LONG_DIGITS_MAX));
  f.if(plain, () => {
    f.if(negative, () => f.set(value, i64.sub(0n, value)));
    f.emit(i64.store(target, value));
    f.set(state, STATE_DONE);
  });
}

/** Clinger's fast path: an exact integer divided by an exact power of ten is rounded once. */
function double(parse: Parse, target: Local<"i32">): void {
  const { f, at, end, negative, value, digits, state } = parse;
  const whole = f.local("i32", "whole");
  const power = f.local("f64", "power");
  const decimals = f.local("i32", "decimals");
  const result = f.local("f64", "result");
  f.set(value, 0n);
  f.set(digits, 0);
  f.set(power, 1);
  readDigits(parse);
  f.set(whole, digits);
  f.if(i32.lt_u(at, end), () => {
    f.if(i32.eq(i32.load8_u(at), 46), () => {
      f.set(at, i32.add(at, 1));
      readDigits(parse);
      f.set(decimals, i32.sub(digits, whole));
    });
  });
  // With at most 15 digits the power is at most 10^15: exact by repeated multiplication.
  f.if(i32.and(i32.eq(at, end), i32.lt_u(i32.sub(digits, 1), DOUBLE_DIGITS_MAX)), () => {
    f.set(result, f64.convert_i64_s(value));
    f.if(i32.ne(digits, whole), () => {
      f.while(decimals, () => {
        f.set(power, f64.mul(power, 10));
        f.set(decimals, i32.sub(decimals, 1));
      });
      f.set(result, f64.div(result, power));
    });
    f.if(negative, () => f.set(result, f64.neg(result)));
    f.emit(f64.store(target, result));
    f.set(state, STATE_DONE);
  });
  f.set(decimals, 0);
}
