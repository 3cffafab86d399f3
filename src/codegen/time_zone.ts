/**
 * Time zones as tables of offsets, from the runtime's own zone data (Intl). Offsets are probed every two weeks up to
 * 2100; the years after that repeat the rules of the 28 years before (same length, same weekdays), and everything past
 * 2500 repeats in cycles of 400 years, after which the calendar is the same to the weekday.
 */
import { daysFromCivil } from "./calendar.ts";
import { CodegenError } from "./error.ts";

export interface TimeZoneTransitions {
  /** Ascending. Offset i holds from until i - 1 (included) to until i (excluded), in seconds since the epoch. */
  readonly untilSeconds: readonly bigint[];
  /** One more than `untilSeconds`; seconds east of UTC. */
  readonly offsetSeconds: readonly number[];
}

const PROBED_FROM_YEAR = 1850;
const PROBED_TO_YEAR = 2100;
const TABLE_TO_YEAR = 2500;

/** First second that the table covers by its cycle of 400 years, and the length of the cycle. */
export const CYCLE_FROM_SECONDS = yearSeconds(PROBED_TO_YEAR);
export const CYCLE_SECONDS = 146_097n * 86_400n;

const cache = new Map<string, TimeZoneTransitions>();

/** Throws `CodegenError` for a zone that the runtime does not know. */
export function timeZoneTransitions(zone: string): TimeZoneTransitions {
  const known = cache.get(zone);
  if (known !== undefined) return known;
  const fixed = fixedOffset(zone);
  const table = fixed === null ? extend(probe(offsetFunction(zone))) : { untilSeconds: [], offsetSeconds: [fixed] };
  cache.set(zone, table);
  return table;
}

/** Seconds of zones like "UTC" and "+05:30"; null for named zones. */
export function fixedOffset(zone: string): number | null {
  if (/^(utc|z|etc\/utc|gmt|etc\/gmt)$/i.test(zone)) return 0;
  const match = /^([+-])(\d{2}):?(\d{2})$/.exec(zone);
  if (match === null) return null;
  const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60;
  return match[1] === "-" ? -seconds : seconds;
}

/** For generated code: uint32 count, 4 bytes of nothing, count × int64 until, (count + 1) × int32 offset. */
export function zoneTable(zone: string): Uint8Array {
  const { untilSeconds, offsetSeconds } = timeZoneTransitions(zone);
  const count = untilSeconds.length;
  const view = new DataView(new ArrayBuffer(8 + count * 8 + (count + 1) * 4));
  view.setUint32(0, count, true);
  untilSeconds.forEach((until, i) => view.setBigInt64(8 + i * 8, until, true));
  offsetSeconds.forEach((offset, i) => view.setInt32(8 + count * 8 + i * 4, offset, true));
  return new Uint8Array(view.buffer);
}

type OffsetAt = (seconds: number) => number;

function offsetFunction(zone: string): OffsetAt {
  const format = formatOf(zone);
  return (seconds) => {
    const [, sign, hours, minutes, rest = "0"] = OFFSET_TEXT.exec(format.format(seconds * 1000)) ?? [];
    if (sign === undefined) return 0; // plain "GMT"
    const size = Number(hours) * 3600 + Number(minutes) * 60 + Number(rest);
    return sign === "+" ? size : -size;
  };
}

/** The end of "12/7/1874, GMT-04:56:02"; some locales of the data write a real minus sign. */
const OFFSET_TEXT = /GMT([+\u2212-])(\d{2}):(\d{2})(?::(\d{2}))?$/;

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset", day: "numeric" });
  } catch (cause) {
    const message = `Cannot compile: time zone "${timeZone}" is unknown. Use an IANA name such as Europe/Paris, or an offset such as +05:30.`;
    throw new CodegenError("unsupported", message, { cause });
  }
}

/** Shorter than any period between two changes that undo each other (Ramadan in Morocco: 29 days). */
const STEP_SECONDS = 14 * 86_400;

function probe(offsetAt: OffsetAt): TimeZoneTransitions {
  const untilSeconds: bigint[] = [];
  let from = Number(yearSeconds(PROBED_FROM_YEAR));
  const end = Number(yearSeconds(PROBED_TO_YEAR));
  let offset = offsetAt(from);
  const offsetSeconds = [offset];
  while (from < end) {
    const to = Math.min(from + STEP_SECONDS, end);
    const next = offsetAt(to);
    if (next !== offset) {
      untilSeconds.push(BigInt(transitionBetween(offsetAt, from, to)));
      offsetSeconds.push(next);
      offset = next;
    }
    from = to;
  }
  return { untilSeconds, offsetSeconds };
}

/** First second in (from, to] that has not the offset of `from`; most changes are on a quarter of an hour. */
function transitionBetween(offsetAt: OffsetAt, from: number, to: number): number {
  const offset = offsetAt(from);
  let [low, high] = [from, to];
  const narrow = (grain: number): void => {
    while (high - low > grain) {
      const middle = low + Math.max(1, Math.floor((high - low) / (2 * grain))) * grain;
      if (offsetAt(middle) === offset) low = middle;
      else high = middle;
    }
  };
  narrow(900);
  if (offsetAt(high - 1) !== offset) narrow(1);
  return high;
}

function yearSeconds(year: number): bigint {
  return daysFromCivil({ year: BigInt(year), month: 1n, day: 1n }) * 86_400n;
}

/** Zones whose last change is before this year follow no yearly rule (Morocco's changes are listed up to 2087). */
const RULE_YEAR = 2095;

/** Copies the rules of like years to the years from 2100 to 2500. */
function extend(table: TimeZoneTransitions): TimeZoneTransitions {
  if ((table.untilSeconds.at(-1) ?? 0n) < yearSeconds(RULE_YEAR)) return table;
  const untilSeconds = [...table.untilSeconds];
  const offsetSeconds = [...table.offsetSeconds];
  for (let year = PROBED_TO_YEAR; year < TABLE_TO_YEAR; year++) {
    const like = likeYear(year);
    const shift = yearSeconds(year) - yearSeconds(like);
    const [from, to] = [yearSeconds(like), yearSeconds(like + 1)];
    table.untilSeconds.forEach((until, i) => {
      if (until < from || until >= to) return;
      untilSeconds.push(until + shift);
      offsetSeconds.push(table.offsetSeconds[i + 1] as number);
    });
  }
  return { untilSeconds, offsetSeconds };
}

/** A year of 2072 to 2099 with the same length that begins on the same weekday. */
function likeYear(year: number): number {
  const shape = (of: number) => {
    const start = yearSeconds(of) / 86_400n;
    return `${start % 7n} ${yearSeconds(of + 1) / 86_400n - start}`;
  };
  for (let like = PROBED_TO_YEAR - 28; like < PROBED_TO_YEAR; like++) {
    if (shape(like) === shape(year)) return like;
  }
  return PROBED_TO_YEAR - 1;
}
