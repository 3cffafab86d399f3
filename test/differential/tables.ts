import type { CellInput, DataType, Field } from "../../src/arrow/mod.ts";
import type { Random } from "./random.ts";

export interface TestTable {
  readonly name: string;
  readonly fields: readonly Field[];
  readonly rows: readonly (readonly CellInput[])[];
}

export const TYPES: readonly DataType[] = [
  { kind: "bool" },
  { kind: "int8" },
  { kind: "int16" },
  { kind: "int32" },
  { kind: "int32" },
  { kind: "int64" },
  { kind: "int64" },
  { kind: "uint8" },
  { kind: "uint16" },
  { kind: "uint32" },
  { kind: "uint64" },
  { kind: "float32" },
  { kind: "float64" },
  { kind: "float64" },
  { kind: "decimal", precision: 9, scale: 2 },
  { kind: "decimal", precision: 18, scale: 4 },
  { kind: "decimal", precision: 30, scale: 6 },
  { kind: "utf8" },
  { kind: "utf8" },
  { kind: "utf8" },
  { kind: "date32" },
  { kind: "timestamp", unit: "microsecond", timezone: null },
  { kind: "timestamp", unit: "millisecond", timezone: null },
];

/** The name of a type in DuckDB. */
export function sqlType(type: DataType): string {
  switch (type.kind) {
    case "bool":
      return "BOOLEAN";
    case "int8":
      return "TINYINT";
    case "int16":
      return "SMALLINT";
    case "int32":
      return "INTEGER";
    case "int64":
      return "BIGINT";
    case "uint8":
      return "UTINYINT";
    case "uint16":
      return "USMALLINT";
    case "uint32":
      return "UINTEGER";
    case "uint64":
      return "UBIGINT";
    case "float32":
      return "FLOAT";
    case "float64":
      return "DOUBLE";
    case "decimal":
      return `DECIMAL(${type.precision}, ${type.scale})`;
    case "utf8":
      return "VARCHAR";
    case "date32":
      return "DATE";
    case "timestamp":
      return type.unit === "millisecond" ? "TIMESTAMP_MS" : "TIMESTAMP";
    default:
      throw new Error(`No SQL type for ${type.kind}`);
  }
}

const WORDS = [
  "",
  "a",
  "b",
  "ab",
  "abc",
  "Zürich",
  "日本語",
  "😀 smile",
  "hello world",
  "  padded ",
  "100%",
  "a_b",
  "x".repeat(40),
];

const INT_BITS: Readonly<Record<string, readonly [bits: number, signed: boolean]>> = {
  int8: [8, true],
  int16: [16, true],
  int32: [32, true],
  int64: [64, true],
  uint8: [8, false],
  uint16: [16, false],
  uint32: [32, false],
  uint64: [64, false],
};

function randomInt(random: Random, kind: string): bigint {
  const [bits, signed] = INT_BITS[kind] as readonly [number, boolean];
  if (random.chance(0.05)) {
    const top = 1n << BigInt(signed ? bits - 1 : bits);
    return random.chance(0.5) ? top - 1n : signed ? -top : 0n;
  }
  const value = BigInt(random.below(random.chance(0.5) ? 6 : 100));
  return signed && random.chance(0.4) ? -value : value;
}

function randomFloat(random: Random): number {
  if (random.chance(0.08)) return random.pick([Number.NaN, -0, 0, Infinity, -Infinity, 1e300, -1e-300]);
  const value = random.below(200) / 4;
  return random.chance(0.4) ? -value : value;
}

/** Number of seconds a date or time may lie from 1970. */
const SECONDS_SPAN = 4_000_000_000;

/** A value as `BatchBuilder` takes it; null one time in eight. */
export function randomCell(random: Random, type: DataType): CellInput {
  if (random.chance(0.12)) return null;
  switch (type.kind) {
    case "bool":
      return random.chance(0.5);
    case "int64":
    case "uint64":
      return randomInt(random, type.kind);
    case "float64":
      return randomFloat(random);
    case "float32":
      return Math.fround(randomFloat(random) > 1e30 ? 1.5 : randomFloat(random));
    case "decimal": {
      const unscaled = random.below(random.chance(0.5) ? 1000 : 1_000_000) * (random.chance(0.4) ? -1 : 1);
      return (unscaled / 10 ** Math.min(type.scale, 2)).toFixed(type.scale);
    }
    case "utf8":
      return random.chance(0.8) ? random.pick(WORDS) : `${random.pick(WORDS)}${random.below(50)}`;
    case "date32":
      return random.below(40_000) - 10_000;
    case "timestamp": {
      const seconds = BigInt(random.below(SECONDS_SPAN) - SECONDS_SPAN / 4);
      const perSecond = type.unit === "millisecond" ? 1000n : 1_000_000n;
      return seconds * perSecond + BigInt(random.below(Number(perSecond)));
    }
    default:
      return Number(randomInt(random, type.kind));
  }
}

export function randomTable(random: Random, name: string): TestTable {
  const count = 2 + random.below(5);
  const fields = Array.from({ length: count }, (_, i): Field => {
    return { name: `${name}_c${i}`, type: random.pick(TYPES), nullable: true };
  });
  // Every table can be joined.
  fields.push({ name: `${name}_k`, type: { kind: "int32" }, nullable: true });
  const rowCount = random.pick([0, 1, 2, 10, 40, 120]);
  const heavy = random.chance(0.2);
  const rows = Array.from({ length: rowCount }, () => {
    const cells = fields.slice(0, -1).map((field) => randomCell(random, field.type));
    const key = random.chance(0.1) ? null : heavy && random.chance(0.9) ? 7 : random.below(12);
    return [...cells, key];
  });
  return { name, fields, rows };
}

/** A literal of `type` in SQL. */
export function sqlLiteral(type: DataType, cell: CellInput): string {
  const name = sqlType(type);
  if (cell === null) return `CAST(NULL AS ${name})`;
  switch (type.kind) {
    case "utf8":
      return `'${String(cell).replaceAll("'", "''")}'`;
    case "float32":
    case "float64": {
      const value = Number(cell);
      return `CAST('${Object.is(value, -0) ? "-0.0" : String(value)}' AS ${name})`;
    }
    case "date32":
      return `(DATE '1970-01-01' + CAST(${Number(cell)} AS INTEGER))`;
    case "timestamp": {
      const micros = BigInt(cell as bigint) * (type.unit === "millisecond" ? 1000n : 1n);
      return `CAST(make_timestamp(${micros}) AS ${name})`;
    }
    default:
      return `CAST('${String(cell)}' AS ${name})`;
  }
}

/** Statements that make the table in DuckDB. */
export function sqlTable(table: TestTable): string[] {
  const columns = table.fields.map((field) => `${field.name} ${sqlType(field.type)}`).join(", ");
  const create = `CREATE OR REPLACE TABLE ${table.name} (${columns})`;
  if (table.rows.length === 0) return [create];
  const values = table.rows.map((row) => {
    return `(${row.map((cell, i) => sqlLiteral((table.fields[i] as Field).type, cell)).join(", ")})`;
  });
  return [create, `INSERT INTO ${table.name} VALUES ${values.join(", ")}`];
}
