/** Dates, timestamps and times of day as ticks since an origin, and their days in the wall clock of their zone. */
import type { DataType, TimeUnit } from "../../arrow/mod.ts";
import type { DateUnit } from "../../plan/mod.ts";
import { type Expr, i32, i64 } from "../../wasm/mod.ts";
import { CodegenError } from "../error.ts";
import { floorDivide, zoneOffset, zoneOffsetOfLocal } from "../kernels/calendar.ts";
import type { RowScope } from "../scope.ts";
import { fixedOffset, zoneTable } from "../time_zone.ts";
import type { Value } from "../value.ts";
import { i32Of, keep } from "./support.ts";

export const TICKS_PER_SECOND: Readonly<Record<TimeUnit, bigint>> = {
  second: 1n,
  millisecond: 1_000n,
  microsecond: 1_000_000n,
  nanosecond: 1_000_000_000n,
};

const NANOSECONDS_PER_DAY = 86_400_000_000_000n;

/** Units of a fixed length. */
export const UNIT_NANOSECONDS: Readonly<Record<Exclude<DateUnit, "year" | "quarter" | "month">, bigint>> = {
  nanosecond: 1n,
  microsecond: 1_000n,
  millisecond: 1_000_000n,
  second: 1_000_000_000n,
  minute: 60_000_000_000n,
  hour: 3_600_000_000_000n,
  day: NANOSECONDS_PER_DAY,
  week: 7n * NANOSECONDS_PER_DAY,
};

/** Months in the units that have no fixed length. */
export const UNIT_MONTHS: Readonly<Partial<Record<DateUnit, bigint>>> = { month: 1n, quarter: 3n, year: 12n };

export interface Zone {
  /** Seconds east of UTC where the zone has one offset for ever; null for a table. */
  readonly fixed: number | null;
  readonly name: string;
}

/** How values of a type count time. */
export interface Clock {
  readonly kind: "date" | "timestamp" | "time";
  /** Nanoseconds in a tick. */
  readonly tick: bigint;
  readonly ticksPerDay: bigint;
  /** Ticks in a second, 0 for dates. */
  readonly ticksPerSecond: bigint;
  /** Null where wall time is stored, or UTC. */
  readonly zone: Zone | null;
}

export function clockOf(type: DataType): Clock {
  switch (type.kind) {
    case "date32":
      return { kind: "date", tick: NANOSECONDS_PER_DAY, ticksPerDay: 1n, ticksPerSecond: 0n, zone: null };
    case "timestamp":
    case "time": {
      const ticksPerSecond = TICKS_PER_SECOND[type.unit];
      const zone = type.kind === "timestamp" && type.timezone !== null ? zoneOf(type.timezone) : null;
      const tick = 1_000_000_000n / ticksPerSecond;
      return { kind: type.kind, tick, ticksPerDay: 86_400n * ticksPerSecond, ticksPerSecond, zone };
    }
    default:
      throw new CodegenError("unsupported", `Cannot compile a date function of ${type.kind}. Cast to timestamp first.`);
  }
}

export function zoneOf(name: string): Zone | null {
  const fixed = fixedOffset(name);
  return fixed === 0 ? null : { fixed, name };
}

/** Ticks of a value: its number in 64 bits. */
export function ticksOf(scope: RowScope, value: Value): Expr<"i64"> {
  if (value.repr === "i64") return value.value;
  return keep(scope, i64.extend_i32_s(i32Of(value)), "ticks");
}

function offsetTicks(clock: Clock, offset: Expr<"i32">): Expr<"i64"> {
  return i64.mul(i64.extend_i32_s(offset), clock.ticksPerSecond);
}

function tableOf(scope: RowScope, zone: Zone): Expr<"i32"> {
  return scope.contextWord(scope.program.literal(zoneTable(zone.name)));
}

/** Seconds east of UTC at the instant `ticks`. */
export function offsetSecondsAt(scope: RowScope, clock: Clock, ticks: Expr<"i64">): Expr<"i32"> {
  if (clock.zone === null) return i32.const(0);
  if (clock.zone.fixed !== null) return i32.const(clock.zone.fixed);
  return keep(scope, zoneOffset.call(tableOf(scope, clock.zone), floorDivide(ticks, clock.ticksPerSecond)), "offset");
}

/** Wall clock of the zone. */
export function toLocal(scope: RowScope, clock: Clock, ticks: Expr<"i64">): Expr<"i64"> {
  if (clock.zone === null) return ticks;
  return keep(scope, i64.add(ticks, offsetTicks(clock, offsetSecondsAt(scope, clock, ticks))), "local");
}

/** The instant of a wall clock time. */
export function fromLocal(scope: RowScope, clock: Clock, local: Expr<"i64">): Expr<"i64"> {
  const { zone } = clock;
  if (zone === null) return local;
  const kept = keep(scope, local, "local");
  const offset =
    zone.fixed !== null
      ? i32.const(zone.fixed)
      : zoneOffsetOfLocal.call(tableOf(scope, zone), floorDivide(kept, clock.ticksPerSecond));
  return keep(scope, i64.sub(kept, offsetTicks(clock, offset)), "instant");
}

/** Days since 1970-01-01 of wall clock ticks. */
export function daysOf(scope: RowScope, clock: Clock, local: Expr<"i64">): Expr<"i64"> {
  return keep(scope, floorDivide(local, clock.ticksPerDay), "days");
}
