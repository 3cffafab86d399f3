import { type DataType, type Field, schema } from "../../src/arrow/mod.ts";
import { type AggregateFunction, expr, type LogicalNode } from "../../src/plan/mod.ts";
import { columnPair, Expressions, familyOf, type Pair, sameType } from "./expressions.ts";
import type { Random } from "./random.ts";
import { randomTable, type TestTable } from "./tables.ts";

/** A query in both languages, with the columns that come out. */
export interface Query {
  readonly node: LogicalNode;
  readonly sql: string;
  readonly fields: readonly Field[];
}

export interface Case {
  readonly tables: readonly TestTable[];
  readonly query: Query;
  /** The rows come in a known order. */
  readonly ordered: boolean;
}

const OPERATORS_MAX = 5;

/** A random case: tables, and a plan over them. */
export function randomCase(random: Random): Case {
  const tables = ["t", "u"].map((name) => randomTable(random, name));
  const builder = new Plans(random, tables);
  let query = builder.scan();
  const steps = random.below(OPERATORS_MAX + 1);
  for (let i = 0; i < steps; i++) query = builder.extend(query);
  const ordered = random.chance(0.4);
  return { tables, query: ordered ? builder.sorted(query) : query, ordered };
}

class Plans {
  readonly #random: Random;
  readonly #tables: readonly TestTable[];
  #nextName = 0;

  constructor(random: Random, tables: readonly TestTable[]) {
    this.#random = random;
    this.#tables = tables;
  }

  scan(table: TestTable = this.#random.pick(this.#tables)): Query {
    const source = { connector: "memory", options: { table: table.name } };
    return { node: { kind: "scan", source }, sql: table.name, fields: table.fields };
  }

  extend(query: Query): Query {
    const operators = [
      () => this.#filter(query),
      () => this.#filter(query),
      () => this.#select(query),
      () => this.#withColumns(query),
      () => this.#aggregate(query),
      () => this.#aggregate(query),
      () => this.#join(query),
      () => this.#join(query),
      () => this.#distinct(query),
      () => this.#union(query),
      () => this.#rename(query),
      () => this.#top(query),
      () => this.#userFunction(query),
    ];
    return this.#random.pick(operators)();
  }

  /** By all columns, so that equal results come in equal order. */
  sorted(query: Query): Query {
    return this.#order(query, null);
  }

  #name(): string {
    return `x${this.#nextName++}`;
  }

  #pairs(query: Query): Expressions {
    return new Expressions(this.#random, query.fields);
  }

  #filter(query: Query): Query {
    const predicate = this.#pairs(query).bool();
    const node: LogicalNode = { kind: "filter", input: query.node, predicate: predicate.ours };
    return { ...query, node, sql: `(SELECT * FROM ${query.sql} WHERE ${predicate.sql})` };
  }

  #select(query: Query): Query {
    const kept = this.#random.sample(query.fields, 1 + this.#random.below(query.fields.length)).map((field) => {
      return { name: field.name, pair: columnPair(field) };
    });
    const made = this.#computed(query, 1 + this.#random.below(2));
    return this.#project(query, [...kept, ...made]);
  }

  #withColumns(query: Query): Query {
    const made = this.#computed(query, 1 + this.#random.below(2));
    const columns = made.map(({ name, pair }) => ({ name, expression: pair.ours }));
    const node: LogicalNode = { kind: "withColumns", input: query.node, columns };
    const list = made.map(({ name, pair }) => `${pair.sql} AS ${name}`).join(", ");
    const fields = [...query.fields, ...made.map(({ name, pair }) => ({ name, type: pair.type, nullable: true }))];
    return { node, fields, sql: `(SELECT *, ${list} FROM ${query.sql})` };
  }

  /** Functions that change nothing, whatever the types; and one that filters. */
  #userFunction(query: Query): Query {
    const mode = this.#random.pick(["map", "flatMap", "mapBatches", "filter"] as const);
    const base = { kind: "userFunction", input: query.node, mode } as const;
    if (mode === "filter") {
      const { name } = this.#random.pick(query.fields);
      const fn = (row: Record<string, unknown>) => row[name] !== null;
      const node: LogicalNode = { ...base, fn, schema: null };
      return { ...query, node, sql: `(SELECT * FROM ${query.sql} WHERE ${name} IS NOT NULL)` };
    }
    const fn = mode === "flatMap" ? (row: unknown) => [row] : (input: unknown) => input;
    return { ...query, node: { ...base, fn, schema: schema([...query.fields]) } };
  }

  #rename(query: Query): Query {
    const [field] = this.#random.sample(query.fields, 1) as [Field];
    const to = this.#name();
    const fields = query.fields.map((each) => (each === field ? { ...each, name: to } : each));
    const list = query.fields.map(({ name }) => (name === field.name ? `${name} AS ${to}` : name)).join(", ");
    const node: LogicalNode = { kind: "rename", input: query.node, names: [{ from: field.name, to }] };
    return { node, fields, sql: `(SELECT ${list} FROM ${query.sql})` };
  }

  #computed(query: Query, count: number): { name: string; pair: Pair }[] {
    return Array.from({ length: count }, () => ({ name: this.#name(), pair: this.#pairs(query).any() }));
  }

  #project(query: Query, columns: readonly { name: string; pair: Pair }[]): Query {
    const node: LogicalNode = {
      kind: "select",
      input: query.node,
      columns: columns.map(({ name, pair }) => ({ name, expression: pair.ours })),
    };
    const list = columns.map(({ name, pair }) => `${pair.sql} AS ${name}`).join(", ");
    const fields = columns.map(({ name, pair }) => ({ name, type: pair.type, nullable: true }));
    return { node, fields, sql: `(SELECT ${list} FROM ${query.sql})` };
  }

  #distinct(query: Query): Query {
    const node: LogicalNode = { kind: "distinct", input: query.node, names: null };
    return { ...query, node, sql: `(SELECT DISTINCT * FROM ${query.sql})` };
  }

  #union(query: Query): Query {
    const other = this.#filter(query);
    const node: LogicalNode = { kind: "union", inputs: [query.node, other.node] };
    return { ...query, node, sql: `(SELECT * FROM ${query.sql} UNION ALL SELECT * FROM ${other.sql})` };
  }

  #aggregate(query: Query): Query {
    const random = this.#random;
    const keys = random.chance(0.15) ? [] : this.#keys(query);
    const calls = Array.from({ length: 1 + random.below(3) }, () => this.#aggregateCall(query));
    const node: LogicalNode = {
      kind: "aggregate",
      input: query.node,
      keys: keys.map(({ name, pair }) => ({ name, expression: pair.ours })),
      aggregates: calls.map(({ name, pair }) => ({ name, expression: pair.ours })),
    };
    const columns = [...keys, ...calls];
    const list = columns.map(({ name, pair }) => `${pair.sql} AS ${name}`).join(", ");
    const groups = keys.length === 0 ? "" : ` GROUP BY ${keys.map(({ pair }) => pair.sql).join(", ")}`;
    const fields = columns.map(({ name, pair }) => ({ name, type: pair.type, nullable: true }));
    return { node, fields, sql: `(SELECT ${list} FROM ${query.sql}${groups})` };
  }

  #keys(query: Query): { name: string; pair: Pair }[] {
    return this.#random.sample(query.fields, 1 + this.#random.below(2)).map((field) => {
      return { name: field.name, pair: columnPair(field) };
    });
  }

  #aggregateCall(query: Query): { name: string; pair: Pair } {
    const random = this.#random;
    const name = this.#name();
    if (random.chance(0.2)) {
      return { name, pair: { ours: expr.aggregate("count", null), sql: "count(*)", type: { kind: "int64" } } };
    }
    // Rows of a table as it is have an order that DuckDB knows too.
    if (query.node.kind === "scan" && random.chance(0.4)) {
      const field = random.pick(query.fields);
      const fn = random.pick(["first", "last"] as const);
      const pair = { ours: expr.aggregate(fn, expr.column(field.name)), type: field.type };
      return { name, pair: { ...pair, sql: `${fn}(${field.name} ORDER BY rowid)` } };
    }
    const argument = random.chance(0.6) ? columnPair(random.pick(query.fields)) : this.#pairs(query).any();
    const { fn, sql, type } = random.pick(aggregatesOf(argument));
    return { name, pair: { ours: expr.aggregate(fn, argument.ours, fn === "quantile" ? 0.25 : null), sql, type } };
  }

  #join(query: Query): Query {
    const random = this.#random;
    const table = random.pick(this.#tables);
    const other = this.#renamed(this.scan(table));
    const how = random.pick(["inner", "inner", "left", "right", "full", "semi", "anti"] as const);
    const keys = this.#joinKeys(query, other);
    const both = [...query.fields, ...other.fields];
    const residual = random.chance(0.3) ? new Expressions(random, both).bool(1) : null;
    const node: LogicalNode = {
      kind: "join",
      left: query.node,
      right: other.node,
      how: keys.length === 0 ? "cross" : how,
      on: keys.map(([left, right]) => ({ left: left.ours, right: right.ours, merged: null })),
      where: keys.length === 0 ? null : (residual?.ours ?? null),
      suffix: "_right",
    };
    if (keys.length === 0)
      return { node, fields: both, sql: `(SELECT * FROM ${query.sql} a CROSS JOIN ${other.sql} b)` };
    const on = [...keys.map(([left, right]) => `${left.sql} = ${right.sql}`), ...(residual ? [residual.sql] : [])];
    const fields = how === "semi" || how === "anti" ? query.fields : both;
    const sql = `(SELECT * FROM ${query.sql} a ${how.toUpperCase()} JOIN ${other.sql} b ON ${on.join(" AND ")})`;
    return { node, fields, sql };
  }

  /** The same rows under new names, so that both sides of a join differ. */
  #renamed(query: Query): Query {
    return this.#project(
      query,
      query.fields.map((field) => ({ name: this.#name(), pair: columnPair(field) })),
    );
  }

  #joinKeys(left: Query, right: Query): [Pair, Pair][] {
    const pairs = left.fields.flatMap((a) =>
      right.fields.filter((b) => sameType(a.type, b.type)).map((b): [Pair, Pair] => [columnPair(a), columnPair(b)]),
    );
    return this.#random.sample(pairs, 1 + this.#random.below(2));
  }

  #top(query: Query): Query {
    return this.#order(query, { count: this.#random.below(20), offset: this.#random.chance(0.2) ? 2 : 0 });
  }

  #order(query: Query, limit: { count: number; offset: number } | null): Query {
    const keys = this.#random.sample(query.fields, query.fields.length).map((field) => {
      return { field, descending: this.#random.chance(0.5), nullsFirst: this.#random.chance(0.5) };
    });
    const sorted: LogicalNode = {
      kind: "sort",
      input: query.node,
      keys: keys.map(({ field, ...direction }) => ({ expression: expr.column(field.name), ...direction })),
    };
    const by = keys.map(({ field, descending, nullsFirst }) => {
      return `${field.name} ${descending ? "DESC" : "ASC"} NULLS ${nullsFirst ? "FIRST" : "LAST"}`;
    });
    const order = `SELECT * FROM ${query.sql} ORDER BY ${by.join(", ")}`;
    if (limit === null) return { ...query, node: sorted, sql: `(${order})` };
    const node: LogicalNode = { kind: "limit", input: sorted, ...limit };
    return { ...query, node, sql: `(${order} LIMIT ${limit.count} OFFSET ${limit.offset})` };
  }
}

const FLOAT64: DataType = { kind: "float64" };
const INT64: DataType = { kind: "int64" };

function aggregatesOf(argument: Pair): { fn: AggregateFunction; sql: string; type: DataType }[] {
  const { sql, type } = argument;
  const general = [
    { fn: "count", sql: `count(${sql})`, type: INT64 },
    { fn: "countDistinct", sql: `count(DISTINCT ${sql})`, type: INT64 },
    { fn: "min", sql: `min(${sql})`, type },
    { fn: "max", sql: `max(${sql})`, type },
  ] as const;
  const average = { fn: "avg", sql: `avg(${sql})`, type: FLOAT64 } as const;
  switch (familyOf(type)) {
    case "int": {
      const total: DataType = type.kind.startsWith("u") ? { kind: "uint64" } : INT64;
      const sum = {
        fn: "sum",
        sql: `CAST(sum(${sql}) AS ${total.kind === "uint64" ? "UBIGINT" : "BIGINT"})`,
        type: total,
      };
      return [...general, sum as { fn: "sum"; sql: string; type: DataType }, average, ...spread(argument)];
    }
    case "float":
      return [...general, { fn: "sum", sql: `sum(${sql})`, type: FLOAT64 }, average, ...spread(argument)];
    case "decimal": {
      const scale = type.kind === "decimal" ? type.scale : 0;
      return [
        ...general,
        { fn: "sum", sql: `sum(${sql})`, type: { kind: "decimal", precision: 38, scale } },
        average,
        ...spread(argument),
      ];
    }
    default:
      return [...general];
  }
}

function spread(argument: Pair): { fn: AggregateFunction; sql: string; type: DataType }[] {
  const { sql, type } = argument;
  const quantile = { fn: "quantile", sql: `quantile_cont(CAST(${sql} AS DOUBLE), 0.25)`, type: FLOAT64 } as const;
  // Over floats DuckDB refuses the variance of infinities and NaN, which SAGE gives as NaN.
  if (familyOf(type) === "float") return [quantile];
  return [
    quantile,
    { fn: "variance", sql: `var_samp(CAST(${sql} AS DOUBLE))`, type: FLOAT64 },
    { fn: "stddev", sql: `stddev_samp(CAST(${sql} AS DOUBLE))`, type: FLOAT64 },
  ];
}
