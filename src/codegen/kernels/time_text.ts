/** Dates and timestamps of the years 0 to 9999 as text and back; anything else goes to the host. */
import {
  type Expr,
  type FunctionBuilder,
  i32,
  i64,
  kernel,
  type Local,
  type NamedParams,
  type Results,
} from "../../wasm/mod.ts";
import { TEMPORAL_FORMS } from "../host_format.ts";
import { hostFormatTemporal, hostParseTemporal } from "../host_functions.ts";
import {
  civilDay,
  civilFromDays,
  civilMonth,
  civilYear,
  daysFromCivil,
  daysInMonth,
  floorDivide,
  floorModulo,
} from "./calendar.ts";
import { packText, scratchAllocate } from "./scratch.ts";

type Builder = FunctionBuilder<NamedParams, Results>;

const DATE_BYTES = 10;
const SECONDS_BYTES = 19;
/** Date, time and nine digits of fraction. */
const TIMESTAMP_BYTES = 32;

/** Writes two digits. */
const putTwo = kernel("putTwo", { params: { at: "i32", value: "i32" }, results: [] }, (f) => {
  const { at, value } = f.params;
  const digits = i32.or(i32.div_u(value, 10), i32.shl(i32.rem_u(value, 10), 8));
  f.emit(i32.store16(at, i32.add(digits, 0x3030)));
});

/** Writes `YYYY-MM-DD`; 0 where the year is not 0 to 9999. */
const putDate = kernel("putDate", { params: { at: "i32", days: "i64" }, results: ["i32"] }, (f) => {
  const { at, days } = f.params;
  const civil = f.local("i64", "civil");
  const year = f.local("i32", "year");
  f.set(civil, civilFromDays.call(days));
  f.if(i64.gt_u(civilYear(civil), 9999n), () => f.return(0));
  f.set(year, i32.wrap_i64(civilYear(civil)));
  f.emit(putTwo.call(at, i32.div_u(year, 100)));
  f.emit(putTwo.call(i32.add(at, 2), i32.rem_u(year, 100)));
  f.emit(i32.store8(at, 0x2d, 4));
  f.emit(putTwo.call(i32.add(at, 5), civilMonth(civil)));
  f.emit(i32.store8(at, 0x2d, 7));
  f.emit(putTwo.call(i32.add(at, 8), civilDay(civil)));
  f.return(1);
});

export const formatDate = kernel("formatDate", { params: { ctx: "i32", days: "i64" }, results: ["i64"] }, (f) => {
  const { ctx, days } = f.params;
  const at = f.local("i32", "at");
  f.set(at, scratchAllocate.call(ctx, DATE_BYTES));
  f.if(i32.eqz(putDate.call(at, days)), () => f.return(hostFormatTemporal.call(ctx, TEMPORAL_FORMS.date, days, 0)));
  f.return(packText(at, i32.const(DATE_BYTES)));
});

/** A timestamp without a zone. */
export const formatTimestamp = kernel(
  "formatTimestamp",
  { params: { ctx: "i32", form: "i32", ticks: "i64", perSecond: "i64" }, results: ["i64"] },
  (f) => {
    const { ctx, form, ticks, perSecond } = f.params;
    const at = f.local("i32", "at");
    const end = f.local("i32", "end");
    const seconds = f.local("i64", "seconds");
    const clock = f.local("i32", "clock");
    const fraction = f.local("i64", "fraction");
    const scale = f.local("i64", "scale");
    f.set(at, scratchAllocate.call(ctx, TIMESTAMP_BYTES));
    f.set(fraction, i64.rem_s(ticks, perSecond));
    f.set(seconds, i64.add(i64.div_s(ticks, perSecond), i64.shr_s(fraction, 63n)));
    f.if(i64.lt_s(fraction, 0n), () => f.set(fraction, i64.add(fraction, perSecond)));
    const dated = putDate.call(at, floorDivide(seconds, 86_400n));
    f.if(i32.eqz(dated), () => f.return(hostFormatTemporal.call(ctx, form, ticks, 0)));
    f.set(clock, i32.wrap_i64(floorModulo(seconds, 86_400n)));
    f.emit(i32.store8(at, 0x20, 10));
    f.emit(putTwo.call(i32.add(at, 11), i32.div_u(clock, 3600)));
    f.emit(i32.store8(at, 0x3a, 13));
    f.emit(putTwo.call(i32.add(at, 14), i32.rem_u(i32.div_u(clock, 60), 60)));
    f.emit(i32.store8(at, 0x3a, 16));
    f.emit(putTwo.call(i32.add(at, 17), i32.rem_u(clock, 60)));
    f.set(end, i32.add(at, SECONDS_BYTES));
    f.if(i32.eqz(i64.eqz(fraction)), () => {
      f.emit(i32.store8(end, 0x2e));
      f.set(end, i32.add(end, 1));
      f.set(scale, i64.div_u(perSecond, 10n));
      // Digit by digit, until only zeros are left.
      f.while(i32.eqz(i64.eqz(fraction)), () => {
        f.emit(i32.store8(end, i32.add(i32.wrap_i64(i64.div_u(fraction, scale)), 0x30)));
        f.set(fraction, i64.rem_u(fraction, scale));
        f.set(scale, i64.div_u(scale, 10n));
        f.set(end, i32.add(end, 1));
      });
    });
    f.return(packText(at, i32.sub(end, at)));
  },
);

/** Number written in two digits at `at` + `offset`; notes in `bad` when they are no digits. */
function twoDigits(f: Builder, at: Expr<"i32">, options: { offset: number; bad: Local<"i32"> }): Local<"i32"> {
  const { offset, bad } = options;
  const value = f.local("i32", "two");
  const tens = f.local("i32", "tens");
  const ones = f.local("i32", "ones");
  f.set(tens, i32.sub(i32.load8_u(at, offset), 0x30));
  f.set(ones, i32.sub(i32.load8_u(at, offset + 1), 0x30));
  f.set(bad, i32.or(bad, i32.or(i32.gt_u(tens, 9), i32.gt_u(ones, 9))));
  f.set(value, i32.add(i32.mul(tens, 10), ones));
  return value;
}

function mustBe(f: Builder, at: Expr<"i32">, options: { offset: number; byte: number; bad: Local<"i32"> }): void {
  f.set(options.bad, i32.or(options.bad, i32.ne(i32.load8_u(at, options.offset), options.byte)));
}

/** Days of `YYYY-MM-DD`; sets `bad` where it is no such text or no such day. */
function readDate(f: Builder, at: Expr<"i32">, bad: Local<"i32">): Expr<"i64"> {
  const century = twoDigits(f, at, { offset: 0, bad });
  const yearOfCentury = twoDigits(f, at, { offset: 2, bad });
  mustBe(f, at, { offset: 4, byte: 0x2d, bad });
  const month = twoDigits(f, at, { offset: 5, bad });
  mustBe(f, at, { offset: 7, byte: 0x2d, bad });
  const day = twoDigits(f, at, { offset: 8, bad });
  const year = f.local("i64", "year");
  f.set(year, i64.extend_i32_u(i32.add(i32.mul(century, 100), yearOfCentury)));
  f.set(bad, i32.or(bad, i32.gt_u(i32.sub(month, 1), 11)));
  f.set(bad, i32.or(bad, i32.ge_u(i32.sub(day, 1), daysInMonth.call(year, month))));
  return daysFromCivil.call(year, month, day);
}

/** As `hostParseTemporal` for dates. */
export const parseDate = kernel(
  "parseDate",
  { params: { at: "i32", bytes: "i32", out: "i32" }, results: ["i32"] },
  (f) => {
    const { at, bytes, out } = f.params;
    const bad = f.local("i32", "bad");
    f.if(i32.eq(bytes, DATE_BYTES), () => {
      f.emit(i64.store(out, readDate(f as unknown as Builder, at, bad)));
      f.if(i32.eqz(bad), () => f.return(1));
    });
    f.return(hostParseTemporal.call(at, bytes, out, TEMPORAL_FORMS.date));
  },
);

/** As `hostParseTemporal` for timestamps in seconds, milliseconds and microseconds. */
export const parseTimestamp = kernel(
  "parseTimestamp",
  { params: { at: "i32", bytes: "i32", out: "i32", form: "i32", perSecond: "i64" }, results: ["i32"] },
  (f) => {
    const { at, bytes, out, form, perSecond } = f.params;
    const builder = f as unknown as Builder;
    const bad = f.local("i32", "bad");
    f.if(i32.eq(bytes, SECONDS_BYTES), () => {
      const days = f.local("i64", "days");
      f.set(days, readDate(builder, at, bad));
      const separator = i32.load8_u(at, 10);
      f.set(bad, i32.or(bad, i32.and(i32.ne(separator, 0x20), i32.ne(separator, 0x54))));
      const hour = twoDigits(builder, at, { offset: 11, bad });
      mustBe(builder, at, { offset: 13, byte: 0x3a, bad });
      const minute = twoDigits(builder, at, { offset: 14, bad });
      mustBe(builder, at, { offset: 16, byte: 0x3a, bad });
      const second = twoDigits(builder, at, { offset: 17, bad });
      f.set(bad, i32.or(bad, i32.or(i32.gt_u(hour, 23), i32.or(i32.gt_u(minute, 59), i32.gt_u(second, 59)))));
      const clock = i32.add(i32.mul(i32.add(i32.mul(hour, 60), minute), 60), second);
      const seconds = i64.add(i64.mul(days, 86_400n), i64.extend_i32_u(clock));
      f.emit(i64.store(out, i64.mul(seconds, perSecond)));
      f.if(i32.eqz(bad), () => f.return(1));
    });
    f.return(hostParseTemporal.call(at, bytes, out, form));
  },
);
