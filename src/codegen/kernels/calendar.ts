/**
 * Days since 1970-01-01 and the proleptic Gregorian calendar (Hinnant, chrono-compatible low-level date algorithms).
 * A civil date is one int64: year · 512 + month · 32 + day.
 */
import { type Expr, i32, i64, kernel, type Local } from "../../wasm/mod.ts";
import { CYCLE_FROM_SECONDS, CYCLE_SECONDS } from "../time_zone.ts";

const DAYS_PER_ERA = 146_097;
/** From 0000-03-01 to 1970-01-01. */
const EPOCH_SHIFT_DAYS = 719_468;
/** Eras added so that ordinary days are positive in 30 bits. */
const ERAS_SHIFT = 82;

/** Quotient rounded down; `divisor` > 0. */
export function floorDivide(x: Expr<"i64">, divisor: bigint): Expr<"i64"> {
  if (divisor === 1n) return x;
  return i64.add(i64.div_s(x, divisor), i64.shr_s(i64.rem_s(x, divisor), 63n));
}

/** Remainder from 0 to divisor - 1. */
export function floorModulo(x: Expr<"i64">, divisor: bigint): Expr<"i64"> {
  const rest = i64.rem_s(x, divisor);
  return i64.add(rest, i64.and(i64.shr_s(rest, 63n), divisor));
}

export function civilYear(civil: Expr<"i64">): Expr<"i64"> {
  return i64.shr_s(civil, 9n);
}

export function civilMonth(civil: Expr<"i64">): Expr<"i32"> {
  return i32.and(i32.shr_u(i32.wrap_i64(civil), 5), 15);
}

export function civilDay(civil: Expr<"i64">): Expr<"i32"> {
  return i32.and(i32.wrap_i64(civil), 31);
}

/** Days of about -12.7 to 1,060 million: the algorithm of Neri and Schneider (2022), with multiplications for divisions. */
const civilFromNearDays = kernel("civilFromNearDays", { params: { shifted: "i32" }, results: ["i64"] }, (f) => {
  const { shifted } = f.params;
  const [century, rest, month, isNextYear] = ["century", "rest", "month", "isNextYear"].map((name) =>
    f.local("i32", name),
  ) as [Local<"i32">, Local<"i32">, Local<"i32">, Local<"i32">];
  const product = f.local("i64", "product");
  f.set(rest, i32.or(i32.shl(shifted, 2), 3));
  f.set(century, i32.div_u(rest, DAYS_PER_ERA));
  f.set(rest, i32.or(i32.sub(rest, i32.mul(century, DAYS_PER_ERA)), 3));
  f.set(product, i64.mul(i64.extend_i32_u(rest), 2_939_745n));
  const yearOfCentury = i32.wrap_i64(i64.shr_u(product, 32n));
  const dayOfYear = f.local("i32", "dayOfYear");
  f.set(dayOfYear, i32.div_u(i32.wrap_i64(product), 2_939_745 * 4));
  f.set(month, i32.add(i32.mul(dayOfYear, 2141), 197_913));
  const day = i32.add(i32.div_u(i32.and(month, 0xffff), 2141), 1);
  // The year began in March.
  f.set(isNextYear, i32.ge_u(dayOfYear, 306));
  const year = i32.add(i32.sub(i32.add(i32.mul(century, 100), yearOfCentury), 400 * ERAS_SHIFT), isNextYear);
  const civilMonthOfYear = i32.sub(i32.shr_u(month, 16), i32.mul(isNextYear, 12));
  const monthAndDay = i32.or(i32.shl(civilMonthOfYear, 5), day);
  f.return(i64.or(i64.shl(i64.extend_i32_s(year), 9n), i64.extend_i32_u(monthAndDay)));
});

export const civilFromDays = kernel("civilFromDays", { params: { days: "i64" }, results: ["i64"] }, (f) => {
  const { days } = f.params;
  const shifted = f.local("i64", "shifted");
  f.set(shifted, i64.add(days, BigInt(EPOCH_SHIFT_DAYS + ERAS_SHIFT * DAYS_PER_ERA)));
  f.if(i64.lt_u(shifted, 1n << 30n), () => f.return(civilFromNearDays.call(i32.wrap_i64(shifted))));
  // The calendar repeats every era: only the year is to be corrected.
  const era = f.local("i64", "era");
  f.set(era, floorDivide(i64.add(days, BigInt(EPOCH_SHIFT_DAYS)), BigInt(DAYS_PER_ERA)));
  const near = i64.sub(shifted, i64.mul(era, BigInt(DAYS_PER_ERA)));
  f.return(i64.add(civilFromNearDays.call(i32.wrap_i64(near)), i64.shl(i64.mul(era, 400n), 9n)));
});

/** Days of a date; `month` 1 to 12. */
export const daysFromCivil = kernel(
  "daysFromCivil",
  { params: { year: "i64", month: "i32", day: "i32" }, results: ["i64"] },
  (f) => {
    const { year, month, day } = f.params;
    const isEarly = i32.le_u(month, 2);
    const yearOfEra = f.local("i32", "yearOfEra");
    const era = f.local("i64", "era");
    const dayOfYear = f.local("i32", "dayOfYear");
    f.set(year, i64.sub(year, i64.extend_i32_u(isEarly)));
    f.set(era, floorDivide(year, 400n));
    f.set(yearOfEra, i32.wrap_i64(i64.sub(year, i64.mul(era, 400n))));
    const shiftedMonth = i32.sub(i32.add(month, i32.mul(isEarly, 12)), 3);
    f.set(dayOfYear, i32.sub(i32.add(i32.div_u(i32.add(i32.mul(shiftedMonth, 153), 2), 5), day), 1));
    const leapDays = i32.sub(i32.div_u(yearOfEra, 4), i32.div_u(yearOfEra, 100));
    const dayOfEra = i32.add(i32.add(i32.mul(yearOfEra, 365), leapDays), dayOfYear);
    const eraDays = i64.sub(i64.mul(era, BigInt(DAYS_PER_ERA)), BigInt(EPOCH_SHIFT_DAYS));
    f.return(i64.add(eraDays, i64.extend_i32_u(dayOfEra)));
  },
);

/** Days of the month; `month` 1 to 12. */
export const daysInMonth = kernel("daysInMonth", { params: { year: "i64", month: "i32" }, results: ["i32"] }, (f) => {
  const { year, month } = f.params;
  const isLeap = i32.and(
    i64.eqz(i64.and(year, 3n)),
    i32.or(i32.eqz(i64.eqz(i64.rem_s(year, 100n))), i64.eqz(i64.rem_s(year, 400n))),
  );
  f.if(i32.eq(month, 2), () => f.return(i32.add(isLeap, 28)));
  f.return(i32.add(i32.and(i32.xor(month, i32.shr_u(month, 3)), 1), 30));
});

/** Offset in seconds at an instant; `table` as in `zoneTable`. */
export const zoneOffset = kernel("zoneOffset", { params: { table: "i32", seconds: "i64" }, results: ["i32"] }, (f) => {
  const { table, seconds } = f.params;
  const count = f.local("i32", "count");
  const low = f.local("i32", "low");
  const high = f.local("i32", "high");
  const middle = f.local("i32", "middle");
  f.if(i64.ge_s(seconds, CYCLE_FROM_SECONDS + CYCLE_SECONDS), () => {
    const inCycle = i64.rem_s(i64.sub(seconds, CYCLE_FROM_SECONDS), CYCLE_SECONDS);
    f.set(seconds, i64.add(inCycle, CYCLE_FROM_SECONDS));
  });
  f.set(count, i32.load(table));
  f.set(table, i32.add(table, 8));
  // Invariant: transitions before `low` are at or before the instant, those from `high` on after it.
  f.set(high, count);
  f.while(i32.lt_u(low, high), () => {
    f.set(middle, i32.shr_u(i32.add(low, high), 1));
    f.if(
      i64.le_s(i64.load(i32.add(table, i32.shl(middle, 3))), seconds),
      () => f.set(low, i32.add(middle, 1)),
      () => f.set(high, middle),
    );
  });
  f.return(i32.load(i32.add(i32.add(table, i32.shl(count, 3)), i32.shl(low, 2))));
});

/**
 * Offset in seconds that turns wall time into an instant. A time that occurs twice is the earlier one, a time that is
 * skipped is as much later: both use the offset from before the change.
 */
export const zoneOffsetOfLocal = kernel(
  "zoneOffsetOfLocal",
  { params: { table: "i32", local: "i64" }, results: ["i32"] },
  (f) => {
    const { table, local } = f.params;
    const before = f.local("i32", "before");
    const after = f.local("i32", "after");
    f.set(before, zoneOffset.call(table, i64.sub(local, 86_400n)));
    f.set(after, zoneOffset.call(table, i64.add(local, 86_400n)));
    f.if(i32.eq(before, after), () => f.return(before));
    const offsetIf = (offset: Expr<"i32">) => zoneOffset.call(table, i64.sub(local, i64.extend_i32_s(offset)));
    f.if(i32.eq(offsetIf(before), before), () => f.return(before));
    f.if(i32.eq(offsetIf(after), after), () => f.return(after));
    f.return(before);
  },
);
