import type { Cell, DataType } from "../../src/arrow/mod.ts";
import { UNITS_PER_SECOND } from "./types.ts";

/** Relative distance within which floats count as equal: sums are added in another order. */
const TOLERANCE = 1e-9;
const TOLERANCE_FLOAT32 = 1e-5;

/** A cell without differences that do not matter: integers as bigint, -0 as 0, items and fields in order. */
export type Plain = null | boolean | number | bigint | string | readonly Plain[];

export function plainOfCell(type: DataType, cell: Cell): Plain {
  if (cell === null) return null;
  switch (type.kind) {
    case "null":
      return "a value that is not null";
    case "bool":
      return cell as boolean;
    case "float32":
    case "float64":
      return Object.is(cell, -0) ? 0 : (cell as number);
    case "utf8":
    case "largeUtf8":
      return cell as string;
    case "decimal":
      return normalDecimal(String(cell));
    case "binary":
    case "largeBinary":
    case "fixedSizeBinary":
      return hexOf(cell as Uint8Array);
    case "dictionary":
      return plainOfCell(type.value, cell);
    case "list":
      return (cell as readonly Cell[]).map((item) => plainOfCell(type.item.type, item));
    case "struct":
      return type.fields.map((field) => plainOfCell(field.type, (cell as Record<string, Cell>)[field.name] as Cell));
    default:
      return BigInt(cell as number | bigint);
  }
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** "1.50" and "1.5" are one value. */
function normalDecimal(text: string): string {
  const trimmed = text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text;
  return trimmed === "-0" ? "0" : trimmed;
}

interface DuckValue {
  readonly value?: bigint;
  readonly scale?: number;
  readonly days?: number;
  readonly nanos?: bigint;
  readonly micros?: bigint;
  readonly millis?: bigint;
  readonly milliseconds?: bigint;
  readonly seconds?: bigint;
  readonly bytes?: Uint8Array;
  readonly items?: readonly unknown[];
  readonly entries?: Readonly<Record<string, unknown>>;
}

/** The same for what DuckDB's JavaScript client gives. */
export function plainOfDuck(type: DataType, value: unknown): Plain {
  if (value === null || value === undefined) return null;
  const given = value as DuckValue;
  switch (type.kind) {
    case "bool":
      return value as boolean;
    case "float32":
    case "float64":
      return Object.is(value, -0) ? 0 : Number(value);
    case "utf8":
    case "largeUtf8":
      return value as string;
    case "decimal":
      return normalDecimal(decimalText(given.value ?? BigInt(value as bigint), given.scale ?? 0));
    case "binary":
    case "largeBinary":
    case "fixedSizeBinary":
      return hexOf(given.bytes ?? new Uint8Array());
    case "date32":
      return BigInt(given.days ?? 0);
    case "timestamp":
    case "time":
      return typeof value === "bigint" ? value : ticksOf(given, UNITS_PER_SECOND[type.unit]);
    case "dictionary":
      return plainOfDuck(type.value, value);
    case "list":
      return (given.items ?? []).map((item) => plainOfDuck(type.item.type, item));
    case "struct":
      return type.fields.map((field) => plainOfDuck(field.type, given.entries?.[field.name]));
    default:
      return BigInt(value as number | bigint);
  }
}

/** In the unit asked for; a text where DuckDB's value is between two of them. */
function ticksOf(value: DuckValue, perSecond: bigint): Plain {
  const { seconds, millis, milliseconds, micros, nanos } = value;
  const inNanos =
    nanos ??
    (micros === undefined ? undefined : micros * 1_000n) ??
    (millis === undefined ? undefined : millis * 1_000_000n) ??
    (milliseconds === undefined ? undefined : milliseconds * 1_000_000n) ??
    (seconds ?? 0n) * 1_000_000_000n;
  const perTick = 1_000_000_000n / perSecond;
  return inNanos % perTick === 0n ? inNanos / perTick : `${inNanos} ns`;
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}

function samePlain(a: Plain, b: Plain, tolerance: number): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => samePlain(item as Plain, b[i] as Plain, tolerance));
  }
  if (typeof a === "number" && typeof b === "number") {
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
    if (!Number.isFinite(a) || !Number.isFinite(b)) return false;
    return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b), 1e-6);
  }
  return a === b;
}

type Row = readonly Plain[];

function sameRow(a: Row, b: Row, types: readonly DataType[]): boolean {
  return types.every((type, i) => {
    const tolerance = type.kind === "float32" ? TOLERANCE_FLOAT32 : TOLERANCE;
    return samePlain(a[i] as Plain, b[i] as Plain, tolerance);
  });
}

/**
 * Null when the rows are equal, else what differs. In order as far as the columns `ordered` go (null: no order), and
 * always as a multiset.
 */
export function differenceOf(
  ours: readonly Row[],
  theirs: readonly Row[],
  options: { readonly types: readonly DataType[]; readonly ordered: readonly number[] | null },
): string | null {
  const { types, ordered } = options;
  if (ours.length !== theirs.length) return `${ours.length} rows instead of ${theirs.length}`;
  if (ordered !== null) {
    const part = (row: Row | undefined): Row => ordered.map((i) => row?.[i] as Plain);
    const orderedTypes = ordered.map((i) => types[i] as DataType);
    const at = ours.findIndex((row, i) => !sameRow(part(row), part(theirs[i]), orderedTypes));
    if (at >= 0) return `row ${at}: ${show(ours[at])} instead of ${show(theirs[at])}`;
  }
  return multisetDifference(ours, theirs, types);
}

function multisetDifference(ours: readonly Row[], theirs: readonly Row[], types: readonly DataType[]): string | null {
  const counts = new Map<string, number>();
  for (const row of theirs) counts.set(show(row), (counts.get(show(row)) ?? 0) + 1);
  const take = (row: Row): boolean => {
    const count = counts.get(show(row)) ?? 0;
    if (count > 0) counts.set(show(row), count - 1);
    return count > 0;
  };
  const unmatched = ours.filter((row) => !take(row));
  const rest = theirs.filter(take);
  for (const row of unmatched) {
    const at = rest.findIndex((other) => sameRow(row, other, types));
    if (at < 0) return `row ${show(row)} is not among the ${rest.length} left, such as ${show(rest[0])}`;
    rest.splice(at, 1);
  }
  return null;
}

function show(row: Row | undefined): string {
  return JSON.stringify(row, (_, v) => (typeof v === "bigint" ? `${v}n` : typeof v === "number" ? String(v) : v));
}
