/** Parts of dates and times, truncation, addition and difference, in the wall clock of the timestamp's zone. */
import { invariant } from "../../kernel/mod.ts";
import type { DateUnit, TypedCall } from "../../plan/mod.ts";
import { type Expr, i32, i64, select } from "../../wasm/mod.ts";
import { CodegenError } from "../error.ts";
import {
  civilDay,
  civilFromDays,
  civilMonth,
  civilYear,
  daysFromCivil,
  daysInMonth,
  floorDivide,
  floorModulo,
} from "../kernels/calendar.ts";
import { mulOverflowsSigned } from "../kernels/integers.ts";
import type { RowScope } from "../scope.ts";
import type { Value, ValueParts } from "../value.ts";
import { expressionText } from "./expression_text.ts";
import { integerParts, widen } from "./integer_ranges.ts";
import { type Clock, clockOf, daysOf, fromLocal, ticksOf, toLocal, UNIT_MONTHS, UNIT_NANOSECONDS } from "./moments.ts";
import { failIf, guardedValue, keep, keepParts, strictOperands } from "./support.ts";

type FixedUnit = keyof typeof UNIT_NANOSECONDS;

/** A point in time being computed with. */
interface Moment {
  readonly clock: Clock;
  readonly ticks: Expr<"i64">;
  /** Wall clock. */
  readonly local: Expr<"i64">;
}

function momentOf(scope: RowScope, value: Value, clock: Clock = clockOf(value.type)): Moment {
  const ticks = ticksOf(scope, value);
  return { clock, ticks, local: toLocal(scope, clock, ticks) };
}

function unsupported(call: TypedCall, clock: Clock): never {
  const text = expressionText(call);
  throw new CodegenError("unsupported", `Cannot compile ${text}: a ${clock.kind} has no ${call.unit ?? call.fn}.`);
}

export function compileDatePart(scope: RowScope, call: TypedCall): Value {
  const { args, isNull } = strictOperands(scope, call);
  const value = args[0];
  invariant(value !== undefined, `${call.fn} of nothing`);
  return guardedValue(scope, call.type, isNull, () => {
    const part = datePart(scope, call, momentOf(scope, value));
    return keepParts(scope, integerParts(call.type, part), call.fn);
  });
}

function datePart(scope: RowScope, call: TypedCall, moment: Moment): Expr<"i64"> {
  const { clock, local } = moment;
  if (call.fn === "hour" || call.fn === "minute" || call.fn === "second") {
    if (clock.kind === "date") return i64.const(0n);
    const seconds = i64.div_u(floorModulo(local, clock.ticksPerDay), clock.ticksPerSecond);
    if (call.fn === "hour") return i64.div_u(seconds, 3600n);
    return call.fn === "minute" ? i64.rem_u(i64.div_u(seconds, 60n), 60n) : i64.rem_u(seconds, 60n);
  }
  if (clock.kind === "time") unsupported(call, clock);
  const days = daysOf(scope, clock, local);
  if (call.fn === "dayOfWeek") return i64.add(floorModulo(i64.add(days, 3n), 7n), 1n);
  const civil = keep(scope, civilFromDays.call(days), "civil");
  const month = civilMonth(civil);
  switch (call.fn) {
    case "year":
      return civilYear(civil);
    case "quarter":
      return i64.extend_i32_u(i32.div_u(i32.add(month, 2), 3));
    case "month":
      return i64.extend_i32_u(month);
    case "day":
      return i64.extend_i32_u(civilDay(civil));
    default:
      invariant(call.fn === "dayOfYear", `${call.fn} is no part of a date`);
      return i64.add(i64.sub(days, daysFromCivil.call(civilYear(civil), 1, 1)), 1n);
  }
}

function unitOf(call: TypedCall): DateUnit {
  invariant(call.unit !== undefined, `${call.fn} has a unit`);
  return call.unit;
}

/** The fixed length of `unit` in ticks; below one tick as the number of units in a tick. */
function unitLength(clock: Clock, unit: FixedUnit): { ticks: bigint } | { perTick: bigint } {
  const nanoseconds = UNIT_NANOSECONDS[unit];
  return nanoseconds >= clock.tick ? { ticks: nanoseconds / clock.tick } : { perTick: clock.tick / nanoseconds };
}

function isFixed(unit: DateUnit): unit is FixedUnit {
  return unit in UNIT_NANOSECONDS;
}

/** Days and longer are taken on the wall clock, shorter units as elapsed time. */
function isCalendarUnit(unit: DateUnit): boolean {
  return !isFixed(unit) || unit === "day" || unit === "week";
}

export function compileDateTruncate(scope: RowScope, call: TypedCall): Value {
  const { args, isNull } = strictOperands(scope, call);
  const value = args[0];
  invariant(value !== undefined, "dateTruncate of nothing");
  return guardedValue(scope, call.type, isNull, () => {
    const input = clockOf(value.type);
    const clock = clockOf(call.type);
    const moment = momentOf(scope, value);
    if (clock.kind === "time" && isCalendarUnit(unitOf(call))) unsupported(call, clock);
    const truncated = keep(scope, truncate(scope, unitOf(call), moment), "truncated");
    checkRange(scope, call, { below: truncated, of: moment.ticks });
    return ticksParts(scope, call, convertTicks(scope, call, { ticks: truncated, from: input, to: clock }));
  });
}

/** Truncation makes no time later: where it seems to, the number wrapped around. */
function checkRange(scope: RowScope, call: TypedCall, values: { below: Expr<"i64">; of: Expr<"i64"> }): void {
  failIf(scope, i64.gt_s(values.below, values.of), { code: "dateOutOfRange", expression: call });
}

function truncate(scope: RowScope, unit: DateUnit, moment: Moment): Expr<"i64"> {
  const { clock, ticks, local } = moment;
  if (isFixed(unit) && !isCalendarUnit(unit)) {
    const length = unitLength(clock, unit);
    return "ticks" in length && length.ticks > 1n ? i64.sub(ticks, floorModulo(local, length.ticks)) : ticks;
  }
  const days = keep(scope, truncatedDays(scope, unit, daysOf(scope, clock, local)), "days");
  return fromLocal(scope, clock, i64.mul(days, clock.ticksPerDay));
}

function truncatedDays(scope: RowScope, unit: DateUnit, days: Expr<"i64">): Expr<"i64"> {
  if (unit === "day") return days;
  if (unit === "week") return i64.sub(days, floorModulo(i64.add(days, 3n), 7n));
  const civil = keep(scope, civilFromDays.call(days), "civil");
  const month = civilMonth(civil);
  const first = { month, year: i32.const(1), quarter: i32.sub(month, i32.rem_u(i32.add(month, 2), 3)) };
  invariant(unit in first, `${unit} is a unit of months`);
  return daysFromCivil.call(civilYear(civil), first[unit as keyof typeof first], 1);
}

export function compileDateAdd(scope: RowScope, call: TypedCall): Value {
  const { args, isNull } = strictOperands(scope, call);
  const [value, count] = args;
  invariant(value !== undefined && count !== undefined, "dateAdd has two operands");
  return guardedValue(scope, call.type, isNull, () => {
    const from = clockOf(value.type);
    const to = clockOf(call.type);
    // A date plus hours: computed in the result's ticks, or for a date again in seconds.
    const working = from.kind === "date" && !isCalendarUnit(unitOf(call)) && to.kind === "date" ? SECONDS_CLOCK : to;
    const ticks = convertTicks(scope, call, { ticks: ticksOf(scope, value), from, to: working });
    const moment: Moment = { clock: working, ticks, local: toLocal(scope, working, ticks) };
    const sum = keep(scope, addUnits(scope, call, { moment, count: keep(scope, widen(count), "count") }), "sum");
    return ticksParts(scope, call, convertTicks(scope, call, { ticks: sum, from: working, to }));
  });
}

const SECONDS_CLOCK: Clock = clockOf({ kind: "timestamp", unit: "second", timezone: null });

function addUnits(scope: RowScope, call: TypedCall, operands: { moment: Moment; count: Expr<"i64"> }): Expr<"i64"> {
  const { moment, count } = operands;
  const { clock, ticks, local } = moment;
  const unit = unitOf(call);
  if (!isFixed(unit)) return fromLocal(scope, clock, addMonths(scope, call, operands));
  if (clock.kind === "time" && isCalendarUnit(unit)) unsupported(call, clock);
  const length = unitLength(clock, unit);
  const delta = "ticks" in length ? product(scope, call, count, length.ticks) : floorDivide(count, length.perTick);
  if (!isCalendarUnit(unit) || clock.zone === null) {
    const sum = checkedSum(scope, call, ticks, keep(scope, delta, "delta"));
    return clock.kind === "time" ? floorModulo(sum, clock.ticksPerDay) : sum;
  }
  return fromLocal(scope, clock, checkedSum(scope, call, local, keep(scope, delta, "delta")));
}

/** A wrapped product is an error. */
function product(scope: RowScope, call: TypedCall, count: Expr<"i64">, factor: bigint): Expr<"i64"> {
  if (factor === 1n) return count;
  const value = keep(scope, i64.mul(count, factor), "product");
  const overflow = mulOverflowsSigned.call(i64.const(factor), count, value);
  failIf(scope, overflow, { code: "dateOutOfRange", expression: call });
  return value;
}

function checkedSum(scope: RowScope, call: TypedCall, a: Expr<"i64">, b: Expr<"i64">): Expr<"i64"> {
  const sum = keep(scope, i64.add(a, b), "sum");
  const overflow = i64.lt_s(i64.and(i64.xor(a, sum), i64.xor(b, sum)), 0n);
  failIf(scope, overflow, { code: "dateOutOfRange", expression: call });
  return sum;
}

/** More months than any calendar here has. */
const MONTHS_MAX = 1n << 43n;

/** Wall clock ticks `count` months, quarters or years later; a day that the month lacks becomes its last. */
function addMonths(scope: RowScope, call: TypedCall, operands: { moment: Moment; count: Expr<"i64"> }): Expr<"i64"> {
  const { clock, local } = operands.moment;
  if (clock.kind === "time") unsupported(call, clock);
  const perUnit = UNIT_MONTHS[unitOf(call)];
  invariant(perUnit !== undefined, "a unit of months");
  const { count } = operands;
  const tooMany = i64.gt_u(i64.add(count, MONTHS_MAX / 12n), (2n * MONTHS_MAX) / 12n);
  failIf(scope, tooMany, { code: "dateOutOfRange", expression: call });
  const days = daysOf(scope, clock, local);
  const civil = keep(scope, civilFromDays.call(days), "civil");
  const monthNumber = i64.add(i64.mul(civilYear(civil), 12n), i64.extend_i32_u(i32.sub(civilMonth(civil), 1)));
  const total = keep(scope, i64.add(monthNumber, i64.mul(count, perUnit)), "months");
  const year = keep(scope, floorDivide(total, 12n), "year");
  const month = keep(scope, i32.add(i32.wrap_i64(floorModulo(total, 12n)), 1), "month");
  const lastDay = keep(scope, daysInMonth.call(year, month), "lastDay");
  const day = civilDay(civil);
  const newDay = select(i32.gt_u(day, lastDay), lastDay, day);
  const newDays = keep(scope, daysFromCivil.call(year, month, newDay), "newDays");
  const timeOfDay = keep(scope, i64.sub(local, i64.mul(days, clock.ticksPerDay)), "timeOfDay");
  return checkedSum(scope, call, product(scope, call, newDays, clock.ticksPerDay), timeOfDay);
}

/** Ticks of one clock in another; both count from 1970-01-01 on the same wall clock or in UTC. */
function convertTicks(
  scope: RowScope,
  call: TypedCall,
  conversion: { ticks: Expr<"i64">; from: Clock; to: Clock },
): Expr<"i64"> {
  const { ticks, from, to } = conversion;
  if (from.tick === to.tick) return ticks;
  if (from.tick < to.tick) return keep(scope, floorDivide(ticks, to.tick / from.tick), "ticks");
  const finer = product(scope, call, ticks, from.tick / to.tick);
  return from.kind === "date" ? fromLocal(scope, to, finer) : finer;
}

function ticksParts(scope: RowScope, call: TypedCall, ticks: Expr<"i64">): ValueParts {
  if (call.type.kind === "timestamp") return { repr: "i64", value: keep(scope, ticks, call.fn) };
  const narrow = call.type.kind === "date32" || clockOf(call.type).tick >= 1_000_000n;
  if (!narrow) return { repr: "i64", value: keep(scope, ticks, call.fn) };
  const kept = keep(scope, ticks, call.fn);
  const value = keep(scope, i32.wrap_i64(kept), call.fn);
  failIf(scope, i64.ne(i64.extend_i32_s(value), kept), { code: "dateOutOfRange", expression: call });
  return { repr: "i32", value };
}

export function compileDateDiff(scope: RowScope, call: TypedCall): Value {
  const { args, isNull } = strictOperands(scope, call);
  const [from, to] = args;
  invariant(from !== undefined && to !== undefined, "dateDiff has two operands");
  return guardedValue(scope, call.type, isNull, () => {
    const unit = unitOf(call);
    const start = keep(scope, unitNumber(scope, call, momentOf(scope, from)), "start");
    const end = keep(scope, unitNumber(scope, call, momentOf(scope, to)), "end");
    const difference = keep(scope, i64.sub(end, start), "difference");
    const overflow = i64.lt_s(i64.and(i64.xor(end, start), i64.xor(end, difference)), 0n);
    failIf(scope, overflow, { code: "integerOverflow", expression: call });
    const zoned = clockOf(from.type).zone !== null && isFixed(unit) && !isCalendarUnit(unit);
    const length = zoned ? unitLength(clockOf(from.type), unit) : null;
    const crossed = length !== null && "ticks" in length ? i64.div_s(difference, length.ticks) : difference;
    return keepParts(scope, integerParts(call.type, keep(scope, crossed, "crossed")));
  });
}

/** Number of the unit that the moment lies in; in a zone for hours and less its first tick. */
function unitNumber(scope: RowScope, call: TypedCall, moment: Moment): Expr<"i64"> {
  const { clock, local } = moment;
  const unit = unitOf(call);
  if (isFixed(unit) && !isCalendarUnit(unit)) {
    const length = unitLength(clock, unit);
    if ("perTick" in length) return product(scope, call, local, length.perTick);
    return clock.zone === null ? floorDivide(local, length.ticks) : truncate(scope, unit, moment);
  }
  if (clock.kind === "time") unsupported(call, clock);
  const days = daysOf(scope, clock, local);
  if (unit === "day") return days;
  if (unit === "week") return floorDivide(i64.add(days, 3n), 7n);
  const civil = keep(scope, civilFromDays.call(days), "civil");
  const month = i64.extend_i32_u(i32.sub(civilMonth(civil), 1));
  const perUnit = UNIT_MONTHS[unit];
  invariant(perUnit !== undefined, "a unit of months");
  return floorDivide(i64.add(i64.mul(civilYear(civil), 12n), month), perUnit);
}
