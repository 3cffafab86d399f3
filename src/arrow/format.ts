import { unreachable } from "../kernel/mod.ts";
import { type Cell, UNITS_PER_SECOND } from "./cell.ts";
import { type DataType, type TimeUnit, valueType } from "./types.ts";

/** Year, month and day of a day number (proleptic Gregorian). Hinnant, "chrono-Compatible Low-Level Date Algorithms". */
function civil(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  };
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, "0");
}

/** `2024-02-29`; years outside 0 … 9999 with a sign and six digits, as ISO 8601 extends them. */
export function formatDate(days: number): string {
  const { year, month, day } = civil(days);
  const sign = year < 0 ? "-" : "+";
  const yearText = year >= 0 && year <= 9_999 ? pad(year, 4) : `${sign}${pad(Math.abs(year), 6)}`;
  return `${yearText}-${pad(month, 2)}-${pad(day, 2)}`;
}

/** `.5` as `.500`: thousands of a second in groups of three digits, nothing for none. */
function fractionText(fraction: number, unitsPerSecond: number): string {
  if (fraction === 0) return "";
  const digits = pad(fraction, String(unitsPerSecond).length - 1);
  return `.${digits.replace(/(?:000)+$/, "")}`;
}

function clockText(secondOfDay: number, fraction: number, unitsPerSecond: number): string {
  const hour = Math.floor(secondOfDay / 3_600);
  const minute = Math.floor(secondOfDay / 60) % 60;
  return `${pad(hour, 2)}:${pad(minute, 2)}:${pad(secondOfDay % 60, 2)}${fractionText(fraction, unitsPerSecond)}`;
}

const FIXED_OFFSET = /^([+-])(\d{2}):?(\d{2})$/;
const UTC_NAMES = new Set(["UTC", "Etc/UTC", "Z", "GMT", "Etc/GMT", "Zulu"]);
/** Milliseconds since the epoch that `Intl` accepts. */
const INTL_MS_MAX = 8.64e15;
const zones = new Map<string, Intl.DateTimeFormat | null>();

function zoneFormat(zone: string): Intl.DateTimeFormat | null {
  let format = zones.get(zone);
  if (format === undefined) {
    try {
      format = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "longOffset" });
    } catch {
      format = null; // a zone this system does not know: shown in UTC
    }
    zones.set(zone, format);
  }
  return format;
}

/** Seconds that local time of the zone is ahead of UTC at that time; null when the zone is unknown. */
function zoneOffsetSeconds(zone: string, epochSeconds: number): number | null {
  if (UTC_NAMES.has(zone)) return 0;
  const fixed = FIXED_OFFSET.exec(zone);
  if (fixed !== null) return (fixed[1] === "-" ? -60 : 60) * (Number(fixed[2]) * 60 + Number(fixed[3]));
  const format = zoneFormat(zone);
  if (format === null || Math.abs(epochSeconds * 1_000) > INTL_MS_MAX) return null;
  const name = format.formatToParts(epochSeconds * 1_000).find((part) => part.type === "timeZoneName")?.value ?? "";
  const match = /GMT(?:([+-])(\d{2}):(\d{2})(?::(\d{2}))?)?/.exec(name);
  if (match === null) return null;
  const seconds = Number(match[2] ?? 0) * 3_600 + Number(match[3] ?? 0) * 60 + Number(match[4] ?? 0);
  return match[1] === "-" ? -seconds : seconds;
}

function offsetText(seconds: number): string {
  const absolute = Math.abs(seconds);
  const rest = absolute % 60 === 0 ? "" : `:${pad(absolute % 60, 2)}`;
  return `${seconds < 0 ? "-" : "+"}${pad(Math.floor(absolute / 3_600), 2)}:${pad(Math.floor(absolute / 60) % 60, 2)}${rest}`;
}

/** ISO 8601 text of a timestamp: local time and offset in its zone (`Z` for UTC), no offset without a zone. */
export function formatTimestamp(value: bigint, unit: TimeUnit, timezone: string | null): string {
  const perSecond = UNITS_PER_SECOND[unit];
  let fraction = Number(value % BigInt(perSecond));
  let seconds = Number(value / BigInt(perSecond)); // exact to 2^53 seconds, 285 million years; beyond only the day shown is near
  if (fraction < 0) {
    fraction += perSecond;
    seconds -= 1;
  }
  let zoneText = "";
  if (timezone !== null) {
    const offset = zoneOffsetSeconds(timezone, seconds) ?? 0;
    zoneText = offset === 0 && (UTC_NAMES.has(timezone) || zoneFormat(timezone) === null) ? "Z" : offsetText(offset);
    seconds += offset;
  }
  const days = Math.floor(seconds / 86_400);
  return `${formatDate(days)}T${clockText(seconds - days * 86_400, fraction, perSecond)}${zoneText}`;
}

/** ISO 8601 duration: `PT0S`, `-P1DT2H3M4.005S`. */
export function formatDuration(value: bigint, unit: TimeUnit): string {
  const perSecond = BigInt(UNITS_PER_SECOND[unit]);
  const absolute = value < 0n ? -value : value;
  const fraction = fractionText(Number(absolute % perSecond), Number(perSecond)).replace(/0+$/, "");
  const total = absolute / perSecond;
  const days = total / 86_400n;
  const rest = Number(total % 86_400n);
  const [hours, minutes, seconds] = [Math.floor(rest / 3_600), Math.floor(rest / 60) % 60, rest % 60];
  const secondsText = seconds > 0 || fraction !== "" ? `${seconds}${fraction}S` : "";
  const time = `${hours > 0 ? `${hours}H` : ""}${minutes > 0 ? `${minutes}M` : ""}${secondsText}`;
  if (days === 0n && time === "") return "PT0S";
  return `${value < 0n ? "-" : ""}P${days > 0n ? `${days}D` : ""}${time === "" ? "" : `T${time}`}`;
}

export function formatTime(value: bigint | number, unit: TimeUnit): string {
  const perSecond = UNITS_PER_SECOND[unit];
  const units = Number(value);
  return clockText(Math.floor(units / perSecond), units % perSecond, perSecond);
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

function formatNested(type: DataType, cell: Cell): string {
  if (type.kind === "list") {
    return `[${(cell as readonly Cell[]).map((item) => formatInner(type.item.type, item)).join(", ")}]`;
  }
  if (type.kind !== "struct") return "";
  const row = cell as { readonly [name: string]: Cell };
  return `{${type.fields.map((f) => `${f.name}: ${formatInner(f.type, row[f.name] ?? null)}`).join(", ")}}`;
}

/** As `formatCell`, with text in quotes so that it cannot be taken for structure. */
function formatInner(type: DataType, cell: Cell): string {
  return typeof cell === "string" && valueType(type).kind !== "decimal" ? JSON.stringify(cell) : formatCell(type, cell);
}

/**
 * Text of a cell for people: ISO 8601 dates, times and durations, exact decimals and integers, `NaN`, `Infinity`, `-0`,
 * bytes in hexadecimal, `null` for null.
 */
export function formatCell(type: DataType, cell: Cell): string {
  if (cell === null) return "null";
  const value = valueType(type);
  switch (value.kind) {
    case "null":
      return "null";
    case "bool":
    case "int8":
    case "int16":
    case "int32":
    case "int64":
    case "uint8":
    case "uint16":
    case "uint32":
    case "uint64":
    case "decimal":
    case "utf8":
    case "largeUtf8":
      return String(cell as number | bigint | string);
    case "float32":
    case "float64":
      return Object.is(cell, -0) ? "-0" : String(cell as number);
    case "binary":
    case "largeBinary":
    case "fixedSizeBinary":
      return hex(cell as Uint8Array);
    case "date32":
      return formatDate(cell as number);
    case "timestamp":
      return formatTimestamp(cell as bigint, value.unit, value.timezone);
    case "time":
      return formatTime(cell as bigint | number, value.unit);
    case "duration":
      return formatDuration(cell as bigint, value.unit);
    case "list":
    case "struct":
      return formatNested(value, cell);
    default:
      return unreachable(value);
  }
}
