/** Casts to text, and from text or binary. */
import { type DataType, isBinary, isFloat, isInteger, isString, type TimeUnit } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import { type Expr, f32, f64, i32, i64, select } from "../../wasm/mod.ts";
import { TEMPORAL_FORMS } from "../host_format.ts";
import {
  hostFormatFloat32,
  hostFormatFloat64,
  hostFormatTemporal,
  hostIsUtf8,
  hostParseBool,
  hostParseDecimal,
  hostParseTemporal,
} from "../host_functions.ts";
import { formatDecimal, formatInteger, parseFloat64, parseInteger } from "../kernels/numbers_text.ts";
import { hasNonAscii } from "../kernels/text.ts";
import { formatDate, formatTimestamp, parseDate, parseTimestamp } from "../kernels/time_text.ts";
import type { RowScope } from "../scope.ts";
import type { Value, ValueParts } from "../value.ts";
import type { CastTarget, Converter } from "./cast.ts";
import { checkDigits, wideOut } from "./decimal_ops.ts";
import { integerParts, integerRange, widen } from "./integer_ranges.ts";
import { clockOf, fromLocal, offsetSecondsAt, TICKS_PER_SECOND, ticksOf } from "./moments.ts";
import { unpackText } from "./strings.ts";
import { bytesOf, i32Of, i128Of, keep } from "./support.ts";

const UNIT_BITS: Readonly<Record<TimeUnit, number>> = { second: 0, millisecond: 1, microsecond: 2, nanosecond: 3 };

/** Number of the form in which the host reads and writes values of the type; undefined when it is not temporal. */
function temporalForm(type: DataType): number | undefined {
  if (type.kind === "date32") return TEMPORAL_FORMS.date;
  if (type.kind === "time") return TEMPORAL_FORMS.time + UNIT_BITS[type.unit];
  if (type.kind !== "timestamp") return undefined;
  return (type.timezone === null ? TEMPORAL_FORMS.timestamp : TEMPORAL_FORMS.timestampWithZone) + UNIT_BITS[type.unit];
}

export const castToText: Converter = (scope, value) => {
  const packed = packedText(scope, value);
  if (packed === null) return null;
  scope.program.usesScratch = true;
  return unpackText(scope, packed);
};

function packedText(scope: RowScope, value: Value): Expr<"i64"> | null {
  const { ctx } = scope;
  const { type } = value;
  if (type.kind === "bool") return boolText(scope, i32Of(value));
  if (isInteger(type)) return integerText(scope, value);
  if (type.kind === "float64" && value.repr === "f64") return hostFormatFloat64.call(ctx, value.value);
  if (type.kind === "float32" && value.repr === "f32") return hostFormatFloat32.call(ctx, value.value);
  if (type.kind === "decimal") {
    const { low, high } = i128Of(value);
    return formatDecimal.call(ctx, low, high, type.scale);
  }
  const form = temporalForm(type);
  if (form === undefined) return null;
  const ticks = ticksOf(scope, value);
  if (type.kind === "date32") return formatDate.call(ctx, ticks);
  if (type.kind === "timestamp" && type.timezone === null) {
    return formatTimestamp.call(ctx, form, ticks, i64.const(TICKS_PER_SECOND[type.unit]));
  }
  const offset = type.kind === "timestamp" ? offsetSecondsAt(scope, clockOf(type), ticks) : i32.const(0);
  return hostFormatTemporal.call(ctx, form, ticks, offset);
}

const TRUE_FALSE = new TextEncoder().encode("truefalse");

function boolText(scope: RowScope, bit: Expr<"i32">): Expr<"i64"> {
  const words = keep(scope, scope.contextWord(scope.program.literal(TRUE_FALSE)), "words");
  const address = i64.shl(i64.extend_i32_u(i32.add(words, select(bit, i32.const(0), 4))), 32n);
  return i64.or(address, i64.extend_i32_u(select(bit, i32.const(4), 5)));
}

function integerText(scope: RowScope, value: Value): Expr<"i64"> {
  const wide = keep(scope, widen(value), "wide");
  if (!integerRange(value.type).signed) return formatInteger.call(scope.ctx, wide, 0);
  const negative = keep(scope, i64.lt_s(wide, 0n), "negative");
  return formatInteger.call(scope.ctx, select(negative, i64.sub(0n, wide), wide), negative);
}

export const castFromText: Converter = (scope, value, target) => {
  const { to } = target;
  if (isBinary(to)) return toBinary(scope, value, target);
  if (isBinary(value.type)) return isString(to) ? utf8FromBinary(scope, value, target) : null;
  const { address, bytes } = bytesOf(value);
  if (to.kind === "bool") {
    const bit = keep(scope, hostParseBool.call(address, bytes), "bool");
    target.failIf(i32.eq(bit, 2));
    return { repr: "i32", value: i32.and(bit, 1) };
  }
  if (isInteger(to)) return integerFromText(scope, value, target);
  const out = wideOut(scope);
  const low = () => i64.load(scope.ctx, scope.program.context.wide("wide.0"));
  if (isFloat(to)) {
    target.failIf(failed(scope, parseFloat64.call(address, bytes, out)));
    const number = keep(scope, f64.reinterpret_i64(low()), "number");
    if (to.kind === "float64") return { repr: "f64", value: number };
    const narrow = keep(scope, f32.demote_f64(number), "narrow");
    const infinite = f32.eq(f32.abs(narrow), Number.POSITIVE_INFINITY);
    target.failIf(i32.and(infinite, f64.ne(f64.abs(number), Number.POSITIVE_INFINITY)));
    return { repr: "f32", value: narrow };
  }
  if (to.kind === "decimal") {
    target.failIf(failed(scope, hostParseDecimal.call(address, bytes, out, to.scale)));
    const high = i64.load(scope.ctx, scope.program.context.wide("wide.1"));
    const parts = { low: keep(scope, low(), "low"), high: keep(scope, high, "high") };
    checkDigits({ ...parts, scale: to.scale, digits: 38 }, to.precision, target.failIf);
    return { repr: "i128", ...parts };
  }
  return temporalFromText(scope, value, target);
};

/** 1 where a parser answered 0. The call is made once, here. */
function failed(scope: RowScope, parsed: Expr<"i32">): Expr<"i32"> {
  return keep(scope, i32.eqz(parsed), "failed");
}

function integerFromText(scope: RowScope, value: Value, target: CastTarget): ValueParts {
  const { address, bytes } = bytesOf(value);
  const { min, max } = integerRange(target.to);
  const parsed = parseInteger.callWith({
    at: address,
    bytes,
    out: wideOut(scope),
    maxMagnitude: i64.const(max),
    minMagnitude: i64.const(-min),
  });
  target.failIf(failed(scope, parsed));
  return integerParts(target.to, keep(scope, i64.load(scope.ctx, scope.program.context.wide("wide.0")), "parsed"));
}

function temporalFromText(scope: RowScope, value: Value, target: CastTarget): ValueParts | null {
  const { address, bytes } = bytesOf(value);
  const form = temporalForm(target.to);
  if (form === undefined) return null;
  const answer = keep(scope, parseTemporal(target.to, { address, bytes, out: wideOut(scope), form }), "answer");
  target.failIf(i32.eqz(answer));
  const parsed = keep(scope, i64.load(scope.ctx, scope.program.context.wide("wide.0")), "parsed");
  const clock = clockOf(target.to);
  if (clock.kind === "timestamp") {
    if (clock.zone === null) return { repr: "i64", value: parsed };
    return { repr: "i64", value: select(i32.eq(answer, 2), parsed, fromLocal(scope, clock, parsed)) };
  }
  if (clock.kind === "time" && clock.tick < 1_000_000n) return { repr: "i64", value: parsed };
  return { repr: "i32", value: i32.wrap_i64(parsed) };
}

function parseTemporal(
  to: DataType,
  text: { address: Expr<"i32">; bytes: Expr<"i32">; out: Expr<"i32">; form: number },
): Expr<"i32"> {
  const { address, bytes, out, form } = text;
  if (to.kind === "date32") return parseDate.call(address, bytes, out);
  // Nanoseconds of the years 0 to 9999 do not all fit: the host checks.
  if (to.kind === "timestamp" && to.unit !== "nanosecond") {
    return parseTimestamp.call(address, bytes, out, form, i64.const(TICKS_PER_SECOND[to.unit]));
  }
  return hostParseTemporal.call(address, bytes, out, form);
}

function toBinary(scope: RowScope, value: Value, target: CastTarget): ValueParts {
  const { address, bytes } = bytesOf(value);
  if (target.to.kind !== "fixedSizeBinary") return { repr: "bytes", address, bytes };
  target.failIf(i32.ne(bytes, target.to.byteWidth));
  return { repr: "bytes", address, bytes: keep(scope, bytes) };
}

function utf8FromBinary(scope: RowScope, value: Value, target: CastTarget): ValueParts {
  const { address, bytes } = bytesOf(value);
  invariant(isBinary(value.type), "binary");
  const { f } = scope;
  const valid = f.local("i32", "valid");
  f.set(valid, 1);
  f.if(hasNonAscii.call(address, bytes), () => f.set(valid, hostIsUtf8.call(address, bytes)));
  target.failIf(i32.eqz(valid));
  return { repr: "bytes", address, bytes };
}
