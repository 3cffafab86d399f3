/**
 * Casts from and to dates, timestamps, times of day and durations. Between a timestamp with a zone and one without, the
 * wall clock is kept; between two zones the instant. Coarser units round down.
 */
import { int32, int64, isInteger } from "../../arrow/mod.ts";
import { type Expr, i32, i64 } from "../../wasm/mod.ts";
import { floorDivide, floorModulo } from "../kernels/calendar.ts";
import { mulOverflowsSigned } from "../kernels/integers.ts";
import type { RowScope } from "../scope.ts";
import { reprOf, type Value, type ValueParts } from "../value.ts";
import type { CastTarget, Converter } from "./cast.ts";
import { checkRange } from "./cast_numbers.ts";
import { integerParts, integerRange, widen } from "./integer_ranges.ts";
import { clockOf, daysOf, fromLocal, TICKS_PER_SECOND, ticksOf, toLocal } from "./moments.ts";
import { keep } from "./support.ts";

export const castFromTime: Converter = (scope, value, target) => {
  const { to } = target;
  if (isInteger(value.type)) return fromCount(scope, value, target);
  if (isInteger(to)) return toCount(scope, value, target);
  if (value.type.kind === "duration" || to.kind === "duration") return durationUnits(scope, value, target);
  if (to.kind === "bool" || to.kind === "float64" || to.kind === "float32" || to.kind === "decimal") return null;
  if (!["date32", "timestamp", "time"].includes(value.type.kind)) return null;
  return convertClock(scope, value, target);
};

/** The stored number as it is. */
function toCount(scope: RowScope, value: Value, target: CastTarget): ValueParts {
  const ticks = keep(scope, ticksOf(scope, value), "ticks");
  const from = integerRange(value.repr === "i64" ? int64 : int32);
  checkRange(ticks, { from, to: integerRange(target.to), target });
  return integerParts(target.to, ticks);
}

/** A number as ticks. */
function fromCount(scope: RowScope, value: Value, target: CastTarget): ValueParts {
  const { signed, bits } = integerRange(value.type);
  const ticks = keep(scope, widen(value), "ticks");
  if (!signed && bits === 64) target.failIf(i64.lt_s(ticks, 0n));
  return ticksParts(scope, ticks, target);
}

/** Ticks in the register form of the target, checked. */
function ticksParts(scope: RowScope, ticks: Expr<"i64">, target: CastTarget): ValueParts {
  const kept = keep(scope, ticks, "ticks");
  if (target.to.kind === "time") {
    const { ticksPerDay } = clockOf(target.to);
    target.failIf(i64.ge_u(kept, ticksPerDay));
  }
  if (reprOf(target.to) === "i64") return { repr: "i64", value: kept };
  const value = keep(scope, i32.wrap_i64(kept), "ticks");
  if (target.to.kind === "date32") target.failIf(i64.ne(i64.extend_i32_s(value), kept));
  return { repr: "i32", value };
}

function rescaleTicks(
  scope: RowScope,
  ticks: Expr<"i64">,
  options: { from: bigint; to: bigint; target: CastTarget },
): Expr<"i64"> {
  const { from, to, target } = options;
  if (from === to) return ticks;
  if (from > to) return keep(scope, floorDivide(ticks, from / to), "ticks");
  const factor = to / from;
  const product = keep(scope, i64.mul(ticks, factor), "ticks");
  target.failIf(mulOverflowsSigned.call(i64.const(factor), ticks, product));
  return product;
}

function durationUnits(scope: RowScope, value: Value, target: CastTarget): ValueParts | null {
  const { type } = value;
  const { to } = target;
  if (type.kind !== "duration" || to.kind !== "duration") return null;
  const units = { from: TICKS_PER_SECOND[type.unit], to: TICKS_PER_SECOND[to.unit], target };
  return { repr: "i64", value: keep(scope, rescaleTicks(scope, ticksOf(scope, value), units), "duration") };
}

function convertClock(scope: RowScope, value: Value, target: CastTarget): ValueParts | null {
  const from = clockOf(value.type);
  const to = clockOf(target.to);
  const ticks = ticksOf(scope, value);
  const unitsPerDay = { from: from.ticksPerDay, to: to.ticksPerDay, target };
  if (from.kind === "time") {
    return to.kind === "time" ? ticksParts(scope, rescaleTicks(scope, ticks, unitsPerDay), target) : null;
  }
  if (to.kind === "timestamp") {
    const keepsInstant =
      value.type.kind === "timestamp" &&
      isZoned(value) &&
      target.to.kind === "timestamp" &&
      target.to.timezone !== null;
    if (keepsInstant) return ticksParts(scope, rescaleTicks(scope, ticks, unitsPerDay), target);
    const local = rescaleTicks(scope, toLocal(scope, from, ticks), unitsPerDay);
    return ticksParts(scope, fromLocal(scope, to, local), target);
  }
  if (to.kind === "date") return ticksParts(scope, daysOf(scope, from, toLocal(scope, from, ticks)), target);
  if (from.kind === "date") return ticksParts(scope, i64.const(0n), target);
  const timeOfDay = keep(scope, floorModulo(toLocal(scope, from, ticks), from.ticksPerDay), "timeOfDay");
  return ticksParts(scope, rescaleTicks(scope, timeOfDay, unitsPerDay), target);
}

function isZoned(value: Value): boolean {
  return value.type.kind === "timestamp" && value.type.timezone !== null;
}
