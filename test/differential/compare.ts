import type { Cell, DataType } from "../../src/arrow/mod.ts";

/** Relative distance within which floats count as equal: sums are added in another order. */
const TOLERANCE = 1e-9;
const TOLERANCE_FLOAT32 = 1e-5;

/** A cell without differences that do not matter: integers as bigint, -0 as 0. */
export type Plain = null | boolean | number | bigint | string;

export function plainOfCell(type: DataType, cell: Cell): Plain {
  if (cell === null) return null;
  switch (type.kind) {
    case "bool":
      return cell as boolean;
    case "float32":
    case "float64":
      return Object.is(cell, -0) ? 0 : (cell as number);
    case "utf8":
      return cell as string;
    case "decimal":
      return normalDecimal(String(cell));
    case "binary":
      return Array.from(cell as Uint8Array, (byte) => byte.toString(16).padStart(2, "0")).join("");
    default:
      return BigInt(cell as number | bigint);
  }
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
  readonly micros?: bigint;
  readonly millis?: bigint;
  readonly milliseconds?: bigint;
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
      return value as string;
    case "decimal":
      return normalDecimal(decimalText(given.value ?? BigInt(value as bigint), given.scale ?? 0));
    case "date32":
      return BigInt(given.days ?? 0);
    case "timestamp":
      return given.micros ?? given.millis ?? given.milliseconds ?? 0n;
    default:
      return BigInt(value as number | bigint);
  }
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return unscaled < 0n ? `-${text}` : text;
}

function samePlain(a: Plain, b: Plain, type: DataType): boolean {
  if (typeof a === "number" && typeof b === "number") {
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
    if (!Number.isFinite(a) || !Number.isFinite(b)) return false;
    const tolerance = type.kind === "float32" ? TOLERANCE_FLOAT32 : TOLERANCE;
    return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b), 1e-6);
  }
  return a === b;
}

function sameRow(a: readonly Plain[], b: readonly Plain[], types: readonly DataType[]): boolean {
  return types.every((type, i) => samePlain(a[i] as Plain, b[i] as Plain, type));
}

/** Null when the rows are equal (as a multiset unless `ordered`), else what differs. */
export function differenceOf(
  ours: readonly (readonly Plain[])[],
  theirs: readonly (readonly Plain[])[],
  options: { readonly types: readonly DataType[]; readonly ordered: boolean },
): string | null {
  if (ours.length !== theirs.length) return `${ours.length} rows instead of ${theirs.length}`;
  if (options.ordered) {
    const at = ours.findIndex((row, i) => !sameRow(row, theirs[i] as readonly Plain[], options.types));
    return at < 0 ? null : `row ${at}: ${show(ours[at])} instead of ${show(theirs[at])}`;
  }
  const rest = [...theirs];
  for (const row of ours) {
    const at = rest.findIndex((other) => sameRow(row, other, options.types));
    if (at < 0) return `row ${show(row)} is not among the ${rest.length} left, such as ${show(rest[0])}`;
    rest.splice(at, 1);
  }
  return null;
}

function show(row: readonly Plain[] | undefined): string {
  return JSON.stringify(row, (_, v) => (typeof v === "bigint" ? `${v}n` : typeof v === "number" ? String(v) : v));
}
