import { bool, type DataType, float64, int64, isFloat, isInteger, utf8 } from "../arrow/mod.ts";
import { PlanError } from "../plan/mod.ts";
import type { GeneratedColumn, GeneratedColumnOptions, GenerateSourceOptions } from "./connector_options.ts";
import { typeFrom } from "./schema.ts";
import type { CellOf, TypeText } from "./types.ts";

interface Common {
  /** The column's type; each kind has its own default. */
  readonly type?: TypeText | DataType;
  /** Share of rows that are null, 0 … 1; default 0. */
  readonly nulls?: number;
}

/** How a column of `Stream.generate` gets its values. Random kinds depend on seed, column and row number alone. */
export type ColumnGenerator =
  /** start, start + step, …; int64 from 0 by 1. */
  | (Common & { readonly kind: "sequence"; readonly start?: number; readonly step?: number })
  /** Uniform; float64 from 0 to 1. Integers include `max`. */
  | (Common & { readonly kind: "random"; readonly min?: number; readonly max?: number })
  /** One of the values, each as likely. */
  | (Common & { readonly kind: "choice"; readonly values: readonly (string | number | bigint | boolean)[] })
  /** Lower-case letters, 8 by default. */
  | (Common & { readonly kind: "text"; readonly length?: number | readonly [least: number, most: number] })
  | (Common & { readonly kind: "constant"; readonly value: string | number | bigint | boolean | null });

export interface GenerateOptions<G = Readonly<Record<string, ColumnGenerator>>> {
  readonly rows: number;
  /** The same seed gives the same rows; default 0. */
  readonly seed?: number;
  readonly columns: G;
}

type DefaultCell<G> = G extends { readonly kind: "sequence" }
  ? bigint
  : G extends { readonly kind: "random" }
    ? number
    : G extends { readonly kind: "text" }
      ? string
      : G extends { readonly kind: "choice"; readonly values: readonly (infer V)[] }
        ? Widened<V>
        : G extends { readonly kind: "constant"; readonly value: infer V }
          ? Widened<V>
          : never;

type Widened<V> = V extends string
  ? string
  : V extends number
    ? number
    : V extends bigint
      ? bigint
      : V extends boolean
        ? boolean
        : V;

type NullOf<G> = G extends { readonly nulls: number } ? null : never;

type GeneratedCell<G> = (G extends { readonly type: infer D } ? NonNullable<CellOf<D>> : DefaultCell<G>) | NullOf<G>;

/** Row that the generators give. */
export type GeneratedRow<G> = { -readonly [K in keyof G]: GeneratedCell<G[K]> };

function typeOfValues(values: readonly unknown[]): DataType {
  const value = values.find((v) => v !== null);
  if (typeof value === "string") return utf8;
  if (typeof value === "boolean") return bool;
  return typeof value === "bigint" ? int64 : float64;
}

function fail(name: string, rule: string): PlanError {
  return new PlanError("argument", `Cannot generate column "${name}": ${rule}.`);
}

function textValues(name: string, length: number | readonly [number, number]): GeneratedColumn {
  const [minLength, maxLength] = typeof length === "number" ? [length, length] : length;
  if (!Number.isInteger(minLength) || !Number.isInteger(maxLength) || minLength < 0 || maxLength < minLength) {
    throw fail(name, "its length must be a whole number from 0 on, or two of them in order");
  }
  return { kind: "text", minLength, maxLength };
}

function randomValues(name: string, g: Extract<ColumnGenerator, { kind: "random" }>, type: DataType): GeneratedColumn {
  if (!isInteger(type) && !isFloat(type) && type.kind !== "date32")
    throw fail(name, "random makes integers, floats and dates");
  const { min = 0, max = isFloat(type) ? 1 : 100 } = g;
  if (!Number.isFinite(min) || !Number.isFinite(max) || min > max) throw fail(name, "min must be a number up to max");
  return { kind: "random", min, max };
}

function valuesOf(name: string, g: ColumnGenerator): { readonly type: DataType; readonly values: GeneratedColumn } {
  const typeOr = (otherwise: DataType) => (g.type === undefined ? otherwise : typeFrom(g.type));
  switch (g.kind) {
    case "sequence":
      return { type: typeOr(int64), values: { kind: "sequence", start: g.start ?? 0, step: g.step ?? 1 } };
    case "random": {
      const type = typeOr(float64);
      return { type, values: randomValues(name, g, type) };
    }
    case "choice":
      if (g.values.length === 0) throw fail(name, "choice needs at least one value");
      return { type: typeOr(typeOfValues(g.values)), values: { kind: "choice", values: [...g.values] } };
    case "text":
      return { type: typeOr(utf8), values: textValues(name, g.length ?? 8) };
    case "constant":
      return { type: typeOr(typeOfValues([g.value])), values: { kind: "constant", value: g.value } };
    default:
      throw fail(
        name,
        `there is no kind "${String((g as { kind?: unknown }).kind)}"; kinds: sequence, random, choice, text, constant`,
      );
  }
}

function columnOptions(name: string, g: ColumnGenerator): GeneratedColumnOptions {
  const nullFraction = g.nulls ?? (g.kind === "constant" && g.value === null ? 1 : 0);
  if (!(nullFraction >= 0 && nullFraction <= 1)) throw fail(name, "nulls must be a share from 0 to 1");
  return { name, ...valuesOf(name, g), nullFraction };
}

/** Throws `PlanError` for options that make no sense. */
export function generateOptions({ rows, seed = 0, columns }: GenerateOptions): GenerateSourceOptions {
  if (!Number.isSafeInteger(rows) || rows < 0) {
    throw new PlanError("argument", `Cannot generate ${rows} rows: the number must be whole and not negative.`);
  }
  const entries = Object.entries(columns);
  if (entries.length === 0) throw new PlanError("argument", "generate needs at least one column.");
  return { rows, seed, columns: entries.map(([name, g]) => columnOptions(name, g)) };
}
