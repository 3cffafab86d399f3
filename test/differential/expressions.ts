import type { DataType, Field } from "../../src/arrow/mod.ts";
import { expr } from "../../src/plan/mod.ts";
import { call, infix, type Make, type Making, type Pair, placesOf, randomLiteral, tryCast, unary } from "./pair.ts";
import type { Random } from "./random.ts";
import type { Values } from "./tables.ts";
import {
  binaryOfText,
  clockDiff,
  clockPart,
  durationMath,
  mixedComparison,
  textOfBinary,
  textOfTime,
  timeOfTimestamp,
  timestampOfZoned,
  timestampPlus,
  timestampUnits,
  ZONED_MAKERS,
  zonedDiff,
  zonedPart,
} from "./times.ts";
import { isNested, sameType, sqlType, TYPES } from "./types.ts";

const DEPTH_MAX = 3;

const BOOL: DataType = { kind: "bool" };
const INT64: DataType = { kind: "int64" };
const FLOAT64: DataType = { kind: "float64" };
const UTF8: DataType = { kind: "utf8" };

/** Random expressions over the columns of one input. */
export class Expressions implements Making {
  readonly random: Random;
  readonly #places: readonly Pair[];
  readonly #values: Values;

  constructor(random: Random, fields: readonly Field[], values: Values) {
    this.random = random;
    this.#places = fields.flatMap(placesOf);
    this.#values = values;
  }

  any(type: DataType = this.typeOf(), depth = 0): Pair {
    if (depth >= DEPTH_MAX || this.random.chance(0.3)) return this.leaf(type);
    const makers = MAKERS[familyOf(type)];
    return this.random.pick([...makers, ...GENERAL])(this, type, depth + 1);
  }

  bool(depth = 0): Pair {
    return this.any(BOOL, depth);
  }

  leaf(type: DataType): Pair {
    const places = this.#places.filter((place) => sameType(place.type, type));
    return places.length > 0 && this.random.chance(0.85) ? this.random.pick(places) : this.literal(type);
  }

  literal(type: DataType): Pair {
    return randomLiteral(this.random, type, this.#values.of(type));
  }

  nested(): readonly Pair[] {
    return this.#places.filter((place) => isNested(place.type));
  }

  typeOf(types: readonly DataType[] = TYPES): DataType {
    const there = this.#places.filter((place) => types.some((type) => sameType(type, place.type)));
    return there.length > 0 && this.random.chance(0.7) ? this.random.pick(there).type : this.random.pick(types);
  }
}

type Family =
  | "bool"
  | "int"
  | "float"
  | "decimal"
  | "text"
  | "date"
  | "timestamp"
  | "zoned"
  | "time"
  | "duration"
  | "binary"
  | "none";

export function familyOf(type: DataType): Family {
  switch (type.kind) {
    case "bool":
      return "bool";
    case "float32":
    case "float64":
      return "float";
    case "decimal":
      return "decimal";
    case "utf8":
      return "text";
    case "date32":
      return "date";
    case "timestamp":
      if (type.timezone !== null) return "zoned";
      return type.unit === "nanosecond" ? "none" : "timestamp";
    case "time":
      return type.unit === "nanosecond" ? "none" : "time";
    case "duration":
      return "duration";
    case "binary":
      return "binary";
    case "null":
    case "largeUtf8":
    case "largeBinary":
    case "fixedSizeBinary":
    case "dictionary":
    case "list":
    case "struct":
      return "none";
    default:
      return "int";
  }
}

/** Wide enough that sums and products of random values rarely overflow, then back to the type. */
function viaInt64(fn: Parameters<typeof expr.call>[0], operator: string): Make {
  return (make, type, depth) => {
    const wide = (pair: Pair): Pair => tryCast(pair, INT64);
    const [a, b] = [wide(make.any({ kind: "int32" }, depth)), wide(make.any(type, depth))];
    return tryCast(call(fn, [a, b], `(${a.sql} ${operator} ${b.sql})`, INT64), type);
  };
}

function guardedDivision(fn: "divide" | "modulo", operator: string): Make {
  return (make, type, depth) => {
    const [a, b] = [make.any({ kind: "int32" }, depth), make.any({ kind: "int32" }, depth)];
    const zero: Pair = { ours: expr.cast(expr.literal(0), b.type), sql: `CAST(0 AS INTEGER)`, type: b.type };
    const divisor = call("nullIf", [tryCast(b, INT64), zero], `NULLIF(TRY_CAST(${b.sql} AS BIGINT), 0)`, INT64);
    const dividend = tryCast(a, INT64);
    return tryCast(call(fn, [dividend, divisor], `(${dividend.sql} ${operator} ${divisor.sql})`, INT64), type);
  };
}

function datePart(fn: Parameters<typeof expr.call>[0], part: string): Make {
  return (make, type, depth) => {
    const source = make.any(make.typeOf([{ kind: "date32" }, TIMESTAMP]), depth);
    return tryCast(call(fn, [source], `date_part('${part}', ${source.sql})`, INT64), type);
  };
}

const TIMESTAMP: DataType = { kind: "timestamp", unit: "microsecond", timezone: null };

const comparison: Make = (make, _type, depth) => {
  const type = make.typeOf();
  const [a, b] = [make.any(type, depth), make.any(type, depth)];
  const [fn, operator] = make.random.pick([
    ["eq", "="],
    ["ne", "<>"],
    ["lt", "<"],
    ["le", "<="],
    ["gt", ">"],
    ["ge", ">="],
  ] as const);
  return call(fn, [a, b], `(${a.sql} ${operator} ${b.sql})`, BOOL);
};

const nullTest: Make = (make, _type, depth) => {
  const nested = make.nested();
  const a = nested.length > 0 && make.random.chance(0.3) ? make.random.pick(nested) : make.any(undefined, depth);
  const negated = make.random.chance(0.5);
  return call(negated ? "isNotNull" : "isNull", [a], `(${a.sql} IS ${negated ? "NOT " : ""}NULL)`, BOOL);
};

const between: Make = (make, _type, depth) => {
  const type = make.typeOf();
  const [a, low, high] = [make.any(type, depth), make.any(type, depth), make.any(type, depth)];
  return call("between", [a, low, high], `(${a.sql} BETWEEN ${low.sql} AND ${high.sql})`, BOOL);
};

const isIn: Make = (make, _type, depth) => {
  const type = make.typeOf();
  const operand = make.any(type, depth);
  const values = Array.from({ length: 1 + make.random.below(4) }, () => make.literal(type));
  const sql = `(${operand.sql} IN (${values.map((value) => value.sql).join(", ")}))`;
  return {
    ours: expr.isIn(
      operand.ours,
      values.map((value) => value.ours),
    ),
    sql,
    type: BOOL,
  };
};

const textTest: Make = (make, _type, depth) => {
  const a = make.any(UTF8, depth);
  const needle = make.random.chance(0.7) ? make.literal(UTF8) : make.any(UTF8, depth);
  const [fn, name] = make.random.pick([
    ["contains", "contains"],
    ["startsWith", "starts_with"],
    ["endsWith", "ends_with"],
  ] as const);
  return call(fn, [a, needle], `${name}(${a.sql}, ${needle.sql})`, BOOL);
};

const like: Make = (make, _type, depth) => {
  const a = make.any(UTF8, depth);
  const pattern = make.random.pick([
    "a%",
    "%b",
    "%o%",
    "a_b",
    "_",
    "%",
    "Z%h",
    "日%",
    "%😀%",
    "a\\_b",
    "100\\%",
    "%l%o%",
    "",
  ]);
  return {
    ours: expr.call("like", [a.ours, expr.literal(pattern)]),
    sql: `(${a.sql} LIKE '${pattern}' ESCAPE '\\')`,
    type: BOOL,
  };
};

const regex: Make = (make, _type, depth) => {
  const a = make.any(UTF8, depth);
  const pattern = make.random.pick(["^a", "b$", "[0-9]+", "a|b", "l{2}", "^$", "語"]);
  return {
    ours: expr.call("regexMatch", [a.ours, expr.literal(pattern)]),
    sql: `regexp_matches(${a.sql}, '${pattern}')`,
    type: BOOL,
  };
};

const not: Make = (make, _type, depth) => {
  const a = make.bool(depth);
  return call("not", [a], `(NOT ${a.sql})`, BOOL);
};

const caseOf: Make = (make, type, depth) => {
  const branches = Array.from({ length: 1 + make.random.below(2) }, () => {
    return { when: make.bool(depth), then: make.any(type, depth) };
  });
  const otherwise = make.random.chance(0.7) ? make.any(type, depth) : null;
  const arms = branches.map(({ when, then }) => `WHEN ${when.sql} THEN ${then.sql}`).join(" ");
  const ours = branches.map(({ when, then }) => ({ when: when.ours, then: then.ours }));
  const sql = `(CASE ${arms}${otherwise === null ? "" : ` ELSE ${otherwise.sql}`} END)`;
  return { ours: expr.caseOf(ours, otherwise?.ours ?? null), sql, type };
};

const coalesce: Make = (make, type, depth) => {
  const args = Array.from({ length: 2 + make.random.below(2) }, () => make.any(type, depth));
  return call("coalesce", args, `COALESCE(${args.map((arg) => arg.sql).join(", ")})`, type);
};

const nullIf: Make = (make, type, depth) => {
  const [a, b] = [make.any(type, depth), make.any(type, depth)];
  return call("nullIf", [a, b], `NULLIF(${a.sql}, ${b.sql})`, type);
};

const slice: Make = (make, _type, depth) => {
  const a = make.any(UTF8, depth);
  const [start, count] = [make.random.below(5), make.random.below(6)];
  const ours = expr.call("slice", [a.ours, expr.literal(BigInt(start)), expr.literal(BigInt(count))]);
  return { ours, sql: `substring(${a.sql}, ${start + 1}, ${count})`, type: UTF8 };
};

const replace: Make = (make, _type, depth) => {
  const a = make.any(UTF8, depth);
  const [from, to] = make.random.pick([
    ["a", "ä"],
    ["ü", ""],
    ["ab", "a"],
    [" ", "__"],
  ] as const);
  const ours = expr.call("replace", [a.ours, expr.literal(from), expr.literal(to)]);
  return { ours, sql: `replace(${a.sql}, '${from}', '${to}')`, type: UTF8 };
};

const textOfInt: Make = (make, type, depth) => tryCast(make.any(INT64, depth), type);

const length: Make = (make, type, depth) => {
  const a = make.any(UTF8, depth);
  return tryCast(call("length", [a], `length(${a.sql})`, INT64), type);
};

const NUMBERS = TYPES.filter((type) => ["bool", "int", "float", "decimal"].includes(familyOf(type)));

const intOfOther: Make = (make, type, depth) => {
  const source = make.typeOf(NUMBERS);
  return tryCast(make.any(source, depth), type);
};

const floatOfOther: Make = (make, type, depth) => {
  const source = make.typeOf(NUMBERS.filter(({ kind }) => kind !== "bool"));
  return tryCast(make.any(source, depth), type);
};

const safeRoot: Make = (make, type, depth) => {
  const a = make.any(FLOAT64, depth);
  const magnitude = call("abs", [a], `abs(${a.sql})`, FLOAT64);
  return tryCast(call("sqrt", [magnitude], `sqrt(${magnitude.sql})`, FLOAT64), type);
};

const safeLn: Make = (make, type, depth) => {
  const a = make.any(FLOAT64, depth);
  const one: Pair = { ours: expr.cast(expr.literal(1), FLOAT64), sql: "CAST(1 AS DOUBLE)", type: FLOAT64 };
  const magnitude = call("abs", [a], `abs(${a.sql})`, FLOAT64);
  const positive = call("add", [magnitude, one], `(${magnitude.sql} + 1.0::DOUBLE)`, FLOAT64);
  return tryCast(call("ln", [positive], `ln(${positive.sql})`, FLOAT64), type);
};

const dateMath: Make = (make, type, depth) => {
  const a = make.any(type, depth);
  const unit = make.random.pick(["day", "week", "month", "year"] as const);
  const count = make.random.below(40) - 20;
  const ours = expr.call("dateAdd", [a.ours, expr.literal(BigInt(count))], unit);
  return { ours, sql: `CAST(${a.sql} + to_${unit}s(${count}) AS ${sqlType(type)})`, type };
};

const truncate: Make = (make, type, depth) => {
  const a = make.any(type, depth);
  const units = ["year", "quarter", "month", "week", "day"] as const;
  const unit = make.random.pick(type.kind === "date32" ? units : ([...units, "hour", "minute", "second"] as const));
  const sql = `CAST(date_trunc('${unit}', ${a.sql}) AS ${sqlType(type)})`;
  return { ours: expr.call("dateTruncate", [a.ours], unit), sql, type };
};

const dateDiff: Make = (make, type, depth) => {
  const source = make.typeOf([{ kind: "date32" }, TIMESTAMP]);
  const [a, b] = [make.any(source, depth), make.any(source, depth)];
  // Weeks and quarters are counted differently: docs/semantics.md.
  const unit = make.random.pick(["year", "month", "day"] as const);
  const ours = expr.call("dateDiff", [a.ours, b.ours], unit);
  return tryCast({ ours, sql: `date_diff('${unit}', ${a.sql}, ${b.sql})`, type: INT64 }, type);
};

const dateOfTimestamp: Make = (make, type, depth) => tryCast(make.any(TIMESTAMP, depth), type);
const timestampOfDate: Make = (make, type, depth) => tryCast(make.any({ kind: "date32" }, depth), type);

const decimalOfOther: Make = (make, type, depth) => {
  const source = make.typeOf(TYPES.filter(({ kind }) => kind === "decimal" || /^u?int/.test(kind)));
  return tryCast(make.any(source, depth), type);
};

const decimalMath: Make = (make, type, depth) => {
  const small: DataType = { kind: "decimal", precision: 9, scale: 2 };
  const [a, b] = [make.any(small, depth), make.any(small, depth)];
  const [fn, operator] = make.random.pick([
    ["add", "+"],
    ["subtract", "-"],
    ["multiply", "*"],
  ] as const);
  return tryCast(call(fn, [a, b], `(${a.sql} ${operator} ${b.sql})`, type), type);
};

const MAKERS: Readonly<Record<Family, readonly Make[]>> = {
  bool: [
    comparison,
    comparison,
    mixedComparison,
    nullTest,
    between,
    isIn,
    textTest,
    like,
    regex,
    not,
    infix("and", "AND"),
    infix("or", "OR"),
  ],
  int: [
    viaInt64("add", "+"),
    viaInt64("subtract", "-"),
    viaInt64("multiply", "*"),
    guardedDivision("divide", "//"),
    guardedDivision("modulo", "%"),
    length,
    intOfOther,
    dateDiff,
    clockDiff,
    zonedDiff,
    clockPart,
    zonedPart,
    datePart("year", "year"),
    datePart("quarter", "quarter"),
    datePart("month", "month"),
    datePart("day", "day"),
    datePart("dayOfWeek", "isodow"),
    datePart("dayOfYear", "doy"),
  ],
  float: [
    infix("add", "+"),
    infix("subtract", "-"),
    infix("multiply", "*"),
    infix("divide", "/"),
    unary("abs", "abs"),
    unary("floor", "floor"),
    unary("ceil", "ceil"),
    safeRoot,
    safeLn,
    floatOfOther,
  ],
  decimal: [decimalOfOther, decimalMath, unary("abs", "abs")],
  text: [
    unary("lower", "lower"),
    unary("upper", "upper"),
    unary("trim", "trim"),
    infix("concat", "||"),
    slice,
    replace,
    textOfInt,
    textOfBinary,
    textOfTime,
  ],
  date: [dateMath, truncate, dateOfTimestamp],
  timestamp: [dateMath, truncate, timestampOfDate, timestampPlus, timestampUnits, timestampOfZoned],
  zoned: ZONED_MAKERS,
  time: [timeOfTimestamp],
  duration: [durationMath],
  binary: [binaryOfText],
  none: [],
};

const GENERAL: readonly Make[] = [caseOf, coalesce, nullIf];
