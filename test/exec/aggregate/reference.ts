/** Aggregates computed the slow and obvious way. */
import { type Cell, type DataType, formatDecimal, parseDecimal } from "../../../src/arrow/mod.ts";
import type { AggregateFunction } from "../../../src/plan/mod.ts";
import { type AggregateCase, aggregateName, column, type ResultRow, rowText } from "./support.ts";

export function referenceAggregation(test: AggregateCase): ResultRow[] {
  const groups = new Map<string, Record<string, Cell>[]>();
  if (test.keys.length === 0) groups.set("{}", []);
  for (const given of test.rows) {
    // Rows of tests hold cells only; what is missing is null.
    const row = Object.fromEntries(test.schema.fields.map((f) => [f.name, (given[f.name] ?? null) as Cell]));
    const key = rowText(Object.fromEntries(test.keys.map((name) => [name, row[name] as Cell])));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return [...groups.values()].map((rows) => {
    const result: ResultRow = {};
    for (const name of test.keys) result[name] = canonical(rows[0]?.[name] as Cell);
    for (const [fn, name, quantile] of test.aggregates) {
      result[aggregateName(fn, name, quantile)] = aggregateOf(fn, {
        type: name === null ? null : column(test.schema, name).type,
        values: rows.map((row) => (name === null ? 1 : (row[name] as Cell))),
        quantile: quantile ?? 0.5,
      });
    }
    return result;
  });
}

function canonical(value: Cell): Cell {
  return Object.is(value, -0) ? 0 : value;
}

function aggregateOf(
  fn: AggregateFunction,
  of: { readonly type: DataType | null; readonly values: readonly Cell[]; readonly quantile: number },
): Cell {
  const { type, values } = of;
  const present = values.filter((value) => value !== null);
  if (fn === "count") return BigInt(present.length);
  if (fn === "countDistinct") return BigInt(new Set(present.map((value) => rowText({ value }))).size);
  if (fn === "first") return values[0] ?? null;
  if (fn === "last") return values.at(-1) ?? null;
  if (present.length === 0 || type === null) return null;
  if (fn === "min") return present.reduce((a, b) => (compare(type, b, a) < 0 ? b : a));
  if (fn === "max") return present.reduce((a, b) => (compare(type, b, a) > 0 ? b : a));
  if (fn === "sum") return sumOf(type, present);
  const numbers = present.map((value) => Number(value));
  if (fn === "avg") return average(type, present);
  if (fn === "quantile") return quantileOf(numbers, of.quantile);
  if (numbers.length < 2) return null;
  const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length;
  const variance = numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (numbers.length - 1);
  return fn === "variance" ? variance : Math.sqrt(variance);
}

function unscaled(type: DataType, value: Cell): bigint {
  if (type.kind === "decimal") return parseDecimal(String(value), 38, type.scale) ?? 0n;
  return BigInt(value as number | bigint);
}

function sumOf(type: DataType, values: readonly Cell[]): Cell {
  if (type.kind === "float32" || type.kind === "float64") return values.reduce<number>((a, b) => a + Number(b), 0);
  const sum = values.reduce<bigint>((a, b) => a + unscaled(type, b), 0n);
  return type.kind === "decimal" ? formatDecimal(sum, type.scale) : sum;
}

function average(type: DataType, values: readonly Cell[]): number {
  const sum = sumOf(type, values);
  return Number(sum) / values.length;
}

function quantileOf(numbers: readonly number[], quantile: number): number {
  const sorted = Float64Array.from(numbers).sort();
  const rank = (sorted.length - 1) * quantile;
  const below = sorted[Math.floor(rank)] as number;
  const above = sorted[Math.ceil(rank)] as number;
  return below === above ? below : below + (above - below) * (rank - Math.floor(rank));
}

function compare(type: DataType, a: Cell, b: Cell): number {
  if (type.kind === "decimal") return Number(unscaled(type, a) - unscaled(type, b)) || 0;
  if (typeof a === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array);
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;
}
