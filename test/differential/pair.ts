import type { CellInput, DataType, Field } from "../../src/arrow/mod.ts";
import { type Expression, expr } from "../../src/plan/mod.ts";
import { randomCell, sqlLiteral, timestampText, timeText } from "./cells.ts";
import type { Random } from "./random.ts";
import { seenType, sqlType, UNITS_PER_SECOND } from "./types.ts";

/** One expression in both languages. `type` is what it is meant to have; both sides cast where they might differ. */
export interface Pair {
  readonly ours: Expression;
  readonly sql: string;
  readonly type: DataType;
}

/** Makes random expressions of a type over the columns of one input. */
export interface Making {
  readonly random: Random;
  /** Of `type`, or of a random type. */
  any(type?: DataType, depth?: number): Pair;
  bool(depth?: number): Pair;
  /** A column or field of a struct where there is one of the type, else a literal. */
  leaf(type: DataType): Pair;
  literal(type: DataType): Pair;
  /** One of the types, more often one that a column has. */
  typeOf(types?: readonly DataType[]): DataType;
  /** Columns and fields of structs whose value is a list or struct. */
  nested(): readonly Pair[];
}

export type Make = (make: Making, type: DataType, depth: number) => Pair;

export type Fn = Parameters<typeof expr.call>[0];

export function columnPair(field: Field): Pair {
  return { ours: expr.column(field.name), sql: field.name, type: seenType(field.type) };
}

/** The column, and the fields of structs below it. */
export function placesOf(field: Field): Pair[] {
  return withFields(columnPair(field));
}

function withFields(pair: Pair): Pair[] {
  if (pair.type.kind !== "struct") return [pair];
  const inner = pair.type.fields.map((field): Pair => {
    const sql = `struct_extract(${pair.sql}, '${field.name}')`;
    return { ours: expr.fieldOf(pair.ours, field.name), sql, type: seenType(field.type) };
  });
  return [pair, ...inner.flatMap(withFields)];
}

export function call(fn: Fn, args: readonly Pair[], sql: string, type: DataType): Pair {
  const ours = expr.call(
    fn,
    args.map((arg) => arg.ours),
  );
  return { ours, sql, type };
}

/** Casts on both sides, null where it does not fit. */
export function tryCast(operand: Pair, type: DataType): Pair {
  return { ours: expr.cast(operand.ours, type, "null"), sql: `TRY_CAST(${operand.sql} AS ${sqlType(type)})`, type };
}

export function infix(fn: Fn, operator: string): Make {
  return (make, type, depth) => {
    const [a, b] = [make.any(type, depth), make.any(type, depth)];
    return call(fn, [a, b], `(${a.sql} ${operator} ${b.sql})`, type);
  };
}

export function unary(fn: Fn, name: string): Make {
  return (make, type, depth) => {
    const a = make.any(type, depth);
    return call(fn, [a], `${name}(${a.sql})`, type);
  };
}

/** A constant: of the data where there is any, else random. */
export function randomLiteral(random: Random, type: DataType, found: readonly CellInput[]): Pair {
  let cell = found.length > 0 && random.chance(0.6) ? random.pick(found) : randomCell(random, type);
  if (cell === null && random.chance(0.7)) cell = randomCell(random, type);
  return literalPair(type, cell);
}

function literalPair(type: DataType, cell: CellInput): Pair {
  const sql = sqlLiteral(type, cell);
  const made = (value: Parameters<typeof expr.literal>[0]): Pair => ({
    ours: expr.cast(expr.literal(value), type),
    sql,
    type,
  });
  if (cell === null) return made(null);
  switch (type.kind) {
    case "utf8":
    case "bool":
      return { ours: expr.literal(cell as string | boolean), sql, type };
    case "date32":
      return made(dateText(Number(cell)));
    case "timestamp": {
      const text = timestampText(BigInt(cell as bigint), UNITS_PER_SECOND[type.unit]);
      return made(type.timezone === null ? text : `${text}Z`);
    }
    case "time":
      return made(timeText(BigInt(cell as bigint), UNITS_PER_SECOND[type.unit]));
    default:
      return made(cell as string | number | bigint | Uint8Array);
  }
}

const SECONDS_PER_DAY = 86_400n;

function dateText(days: number): string {
  return timestampText(BigInt(days) * SECONDS_PER_DAY, 1n).slice(0, 10);
}
