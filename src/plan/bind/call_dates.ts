import { type DataType, int64, isInteger, type TimeUnit, timestamp } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import { finerUnit } from "../common_type.ts";
import { castTo, typedCall } from "../make.ts";
import type { DateUnit, TypedExpression } from "../typed.ts";
import type { BoundCall } from "./call.ts";
import { describeTyped } from "./scope.ts";
import { type Operand, operandAs, unify } from "./unify.ts";

/** Resolution that a timestamp needs to hold steps of the unit; null for units of whole days. */
const RESOLUTION: Readonly<Record<DateUnit, TimeUnit | null>> = {
  year: null,
  quarter: null,
  month: null,
  week: null,
  day: null,
  hour: "second",
  minute: "second",
  second: "second",
  millisecond: "millisecond",
  microsecond: "microsecond",
  nanosecond: "nanosecond",
};

function needDate(bound: BoundCall, operand: Operand): Error {
  const rule = `${bound.fn} needs a date or timestamp, but ${describeTyped(operand.expression, operand.typed)}.`;
  return bound.scope.fail("type", bound.call, rule);
}

function isDate(type: DataType): boolean {
  return type.kind === "date32" || type.kind === "timestamp";
}

const CLOCK_PARTS: ReadonlySet<string> = new Set(["hour", "minute", "second"]);

/** year … dayOfYear of a date or timestamp; hour, minute and second also of a time. */
export function bindDatePart(bound: BoundCall): TypedExpression {
  const [operand] = bound.operands as readonly [Operand];
  const { typed } = operand;
  const ofClock = CLOCK_PARTS.has(bound.fn);
  if (!isDate(typed.type) && !(ofClock && typed.type.kind === "time")) throw needDate(bound, operand);
  const value = ofClock && typed.type.kind === "date32" ? castTo(typed, timestamp("second")) : typed;
  return typedCall(bound.fn, [value], int64);
}

function unitOf(bound: BoundCall): DateUnit {
  const { unit } = bound.call;
  invariant(unit !== null, `${bound.fn} without a unit`);
  if (!Object.hasOwn(RESOLUTION, unit)) {
    const units = Object.keys(RESOLUTION).join(", ");
    throw bound.scope.fail("argument", bound.call, `"${String(unit)}" is no unit. Units: ${units}.`);
  }
  return unit;
}

export function bindDateTruncate(bound: BoundCall): TypedExpression {
  const [operand] = bound.operands as readonly [Operand];
  const unit = unitOf(bound);
  const { typed } = operand;
  if (!isDate(typed.type)) throw needDate(bound, operand);
  if (typed.type.kind === "date32" && RESOLUTION[unit] !== null) return typed;
  return typedCall("dateTruncate", [typed], typed.type, { unit });
}

/** The date or timestamp in a type that can hold steps of the unit. */
function withResolution(value: TypedExpression, unit: DateUnit): TypedExpression {
  const needed = RESOLUTION[unit];
  if (needed === null) return value;
  if (value.type.kind !== "timestamp") return castTo(value, timestamp(finerUnit("microsecond", needed)));
  return castTo(value, timestamp(finerUnit(value.type.unit, needed), value.type.timezone));
}

export function bindDateArithmetic(bound: BoundCall): TypedExpression {
  const [operand, other] = bound.operands as readonly [Operand, Operand];
  const unit = unitOf(bound);
  if (!isDate(operand.typed.type)) throw needDate(bound, operand);
  if (bound.fn === "dateDiff") return bindDateDiff(bound, unit);
  if (!isInteger(other.typed.type) && other.typed.type.kind !== "null") {
    const rule = `dateAdd adds a whole number of units, but ${describeTyped(other.expression, other.typed)}.`;
    throw bound.scope.fail("type", bound.call, rule);
  }
  const value = withResolution(operand.typed, unit);
  return typedCall("dateAdd", [value, operandAs(other, int64)], value.type, { unit });
}

function bindDateDiff(bound: BoundCall, unit: DateUnit): TypedExpression {
  const unified = unify(bound.operands);
  if (unified === null || !isDate(unified.type)) throw needDate(bound, bound.operands[1] as Operand);
  const args = unified.args.map((a) => (a.type.kind === "date32" ? withResolution(a, unit) : a));
  return typedCall("dateDiff", args, int64, { unit });
}
