import { type DataType, type Field, schema } from "../../src/arrow/mod.ts";
import { type AggregateFunction, expr, type LogicalNode } from "../../src/plan/mod.ts";
import { Expressions, familyOf } from "./expressions.ts";
import { columnPair, type Pair, placesOf } from "./pair.ts";
import type { Random } from "./random.ts";
import { type TestTable, Values } from "./tables.ts";
import { isNested, sameType, seenType, sqlType } from "./types.ts";

/** A query in both languages, with the columns that come out. */
export interface Query {
  readonly node: LogicalNode;
  readonly sql: string;
  readonly fields: readonly Field[];
  /** The rows come in the order of a table, in both engines. */
  readonly inOrder: boolean;
}

export interface Case {
  readonly tables: readonly TestTable[];
  readonly query: Query;
  /** Columns by which the rows come in a known order; null where they do not. */
  readonly ordered: readonly number[] | null;
}

const OPERATORS_MAX = 6;
const ATTEMPTS_MAX = 4;

/** How many rows a query has, as DuckDB says; null where it refuses the query. */
export type CountRows = (sql: string) => Promise<number | null>;

/** Rows that a query may have, so that comparing them stays fast. */
const ROWS_MAX = 20_000;

/** A random plan over the tables, mostly one that has rows. */
export async function randomCase(random: Random, tables: readonly TestTable[], countRows: CountRows): Promise<Case> {
  const builder = new Plans(random, tables);
  const scan = builder.scan();
  let query = scan;
  const steps = random.below(OPERATORS_MAX + 1);
  for (let i = 0; i < steps; i++) {
    const wantsRows = random.chance(0.93);
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const longer = builder.extend(query);
      const count = await countRows(longer.sql);
      // A query that DuckDB refuses stays, at times: SAGE has to refuse it as well.
      if (count === null ? !random.chance(0.02) : count > ROWS_MAX || (wantsRows && count === 0)) continue;
      query = longer;
      break;
    }
  }
  const flat = [...query.fields.keys()].filter((at) => !isNested((query.fields[at] as Field).type));
  if (flat.length === 0 || !random.chance(0.4)) return { tables, query, ordered: null };
  const ordered = query.inOrder ? [...query.fields.keys()] : flat;
  return { tables, query: builder.sorted(query), ordered };
}

class Plans {
  readonly #random: Random;
  readonly #tables: readonly TestTable[];
  readonly #values: Values;
  #nextName = 0;

  constructor(random: Random, tables: readonly TestTable[]) {
    this.#random = random;
    this.#tables = tables;
    this.#values = new Values(tables);
  }

  scan(table: TestTable = this.#random.pick(this.#tables)): Query {
    const source = { connector: "memory", options: { table: table.name } };
    const fields = table.fields.map((field) => ({ ...field, type: seenType(field.type) }));
    return { node: { kind: "scan", source }, sql: table.name, fields, inOrder: true };
  }

  extend(query: Query): Query {
    const lists = query.fields.filter(({ type }) => type.kind === "list");
    const isFlat = !query.fields.some(({ type }) => isNested(type));
    const operators = [
      () => this.#filter(query),
      () => this.#filter(query),
      () => this.#select(query),
      () => this.#withColumns(query),
      () => this.#drop(query),
      () => this.#aggregate(query),
      () => this.#aggregate(query),
      () => this.#join(query),
      () => this.#join(query),
      () => this.#joinByName(query),
      () => this.#union(query),
      () => this.#rename(query),
      () => this.#top(query),
      () => this.#userFunction(query),
      ...(isFlat ? [() => this.#distinct(query)] : []),
      ...(query.inOrder ? [() => this.#firstRows(query)] : []),
      ...lists.flatMap((list) => [() => this.#unnest(query, list), () => this.#unnest(query, list)]),
    ];
    return this.#random.pick(operators)();
  }

  /** By all columns that can be compared, so that equal results come in equal order. */
  sorted(query: Query): Query {
    return this.#order(query, null);
  }

  #name(): string {
    return `x${this.#nextName++}`;
  }

  #pairs(query: Query): Expressions {
    return new Expressions(this.#random, query.fields, this.#values);
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
    return { ...query, node, fields, sql: `(SELECT *, ${list} FROM ${query.sql})` };
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
    return { ...query, node, fields, sql: `(SELECT ${list} FROM ${query.sql})` };
  }

  #drop(query: Query): Query {
    const dropped = this.#random.sample(query.fields.slice(1), 1 + this.#random.below(2));
    if (dropped.length === 0) return query;
    const fields = query.fields.filter((field) => !dropped.includes(field));
    const node: LogicalNode = { kind: "drop", input: query.node, names: dropped.map(({ name }) => name) };
    return { ...query, node, fields, sql: `(SELECT ${fields.map(({ name }) => name).join(", ")} FROM ${query.sql})` };
  }

  #unnest(query: Query, list: Field): Query {
    const { type, name } = list;
    if (type.kind !== "list") throw new Error(`${name} is no list`);
    const outer = this.#random.chance(0.4);
    const node: LogicalNode = { kind: "unnest", input: query.node, column: name, outer };
    const fields = query.fields.map((field) => (field === list ? { ...field, type: seenType(type.item.type) } : field));
    const single = `CAST([NULL] AS ${sqlType(type)})`;
    const items = outer
      ? `unnest(CASE WHEN coalesce(len(${name}), 0) = 0 THEN ${single} ELSE ${name} END)`
      : `unnest(${name})`;
    const columns = query.fields.map((field) => (field === list ? `${items} AS ${name}` : field.name));
    return { ...query, node, fields, sql: `(SELECT ${columns.join(", ")} FROM ${query.sql})` };
  }

  /** Without an order of its own a limit takes the first rows. */
  #firstRows(query: Query): Query {
    const [count, offset] = [this.#random.below(30), this.#random.chance(0.3) ? this.#random.below(5) : 0];
    const node: LogicalNode = { kind: "limit", input: query.node, count, offset };
    return { ...query, node, sql: `(SELECT * FROM ${query.sql} LIMIT ${count} OFFSET ${offset})` };
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
    return { ...query, node, fields, sql: `(SELECT ${list} FROM ${query.sql})` };
  }

  #distinct(query: Query): Query {
    if (query.node.kind === "scan" && this.#random.chance(0.5)) return this.#firstOfEach(query);
    const node: LogicalNode = { kind: "distinct", input: query.node, names: null };
    return { ...query, node, sql: `(SELECT DISTINCT * FROM ${query.sql})`, inOrder: false };
  }

  /** The first row of each combination of some columns. */
  #firstOfEach(query: Query): Query {
    const names = this.#random.sample(query.fields, 1 + this.#random.below(2)).map(({ name }) => name);
    const node: LogicalNode = { kind: "distinct", input: query.node, names };
    const order = `row_number() OVER (PARTITION BY ${names.join(", ")} ORDER BY rowid)`;
    return { ...query, node, sql: `(SELECT * FROM ${query.sql} QUALIFY ${order} = 1)`, inOrder: false };
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
    return { node, fields, sql: `(SELECT ${list} FROM ${query.sql}${groups})`, inOrder: false };
  }

  #keys(query: Query): { name: string; pair: Pair }[] {
    const random = this.#random;
    const columns = query.fields.flatMap((field) => {
      const places = placesOf(field).filter(({ type }) => !isNested(type));
      return places.map((pair, i) => ({ name: i === 0 ? field.name : `${field.name}_${i}`, pair }));
    });
    const keys = random.sample(columns, 1 + random.below(2));
    return random.chance(0.15) ? [...keys, { name: this.#name(), pair: this.#pairs(query).any() }] : keys;
  }

  #aggregateCall(query: Query): { name: string; pair: Pair } {
    const random = this.#random;
    const name = this.#name();
    if (random.chance(0.2)) {
      return { name, pair: { ours: expr.aggregate("count", null), sql: "count(*)", type: { kind: "int64" } } };
    }
    // Rows of a table as it is have an order that DuckDB knows too.
    if (query.node.kind === "scan" && random.chance(0.4)) {
      const field = random.pick(query.fields.filter(({ type }) => !isNested(type)));
      const fn = random.pick(["first", "last"] as const);
      const pair = { ours: expr.aggregate(fn, expr.column(field.name)), type: field.type };
      return { name, pair: { ...pair, sql: `${fn}(${field.name} ORDER BY rowid)` } };
    }
    const argument = this.#argument(query);
    const { fn, sql, type } = random.pick(aggregatesOf(argument));
    return { name, pair: { ours: expr.aggregate(fn, argument.ours, fn === "quantile" ? 0.25 : null), sql, type } };
  }

  #argument(query: Query): Pair {
    const random = this.#random;
    const places = query.fields.flatMap(placesOf).filter(({ type }) => !isNested(type));
    return places.length > 0 && random.chance(0.6) ? random.pick(places) : this.#pairs(query).any();
  }

  #join(query: Query): Query {
    const random = this.#random;
    const renamed = this.#renamed(this.scan(random.pick(this.#tables)), query);
    const other = random.chance(0.3) ? this.#filter(renamed) : renamed;
    const how = random.pick(["inner", "inner", "left", "right", "full", "semi", "anti"] as const);
    const keys = random.chance(0.1) ? [] : this.#joinKeys(query, other);
    const both = [...query.fields, ...other.fields];
    const needsResidual = keys.length === 0 && random.chance(0.7);
    const residual = needsResidual || random.chance(0.3) ? new Expressions(random, both, this.#values).bool(1) : null;
    const isCross = keys.length === 0 && residual === null;
    const node: LogicalNode = {
      kind: "join",
      left: query.node,
      right: other.node,
      how: isCross ? "cross" : how,
      on: keys.map(([left, right]) => ({ left: left.ours, right: right.ours, merged: null })),
      where: residual?.ours ?? null,
      suffix: "_right",
    };
    const sides = (type: string) => `SELECT * FROM ${query.sql} a ${type} JOIN ${other.sql} b`;
    if (isCross) return { node, fields: both, sql: `(${sides("CROSS")})`, inOrder: false };
    const on = [...keys.map(([left, right]) => `${left.sql} = ${right.sql}`), ...(residual ? [residual.sql] : [])];
    const fields = how === "semi" || how === "anti" ? query.fields : both;
    return { node, fields, sql: `(${sides(how.toUpperCase())} ON ${on.join(" AND ")})`, inOrder: false };
  }

  /** On one name of both sides, which the result has once. */
  #joinByName(query: Query): Query {
    const random = this.#random;
    const other = this.#renamed(this.scan(random.pick(this.#tables)), query);
    const pairs = query.fields.flatMap((left) => {
      const same = other.fields.filter((right) => sameType(left.type, right.type) && !isNested(left.type));
      return same.map((right) => [left, right] as const);
    });
    const [pair] = random.sample(pairs, 1);
    if (pair === undefined) return query;
    const [{ name: key }, { name: otherKey }] = pair;
    const how = random.pick(["inner", "left", "right", "full", "semi", "anti"] as const);
    const node: LogicalNode = {
      kind: "join",
      left: query.node,
      right: { kind: "rename", input: other.node, names: [{ from: otherKey, to: key }] },
      how,
      on: [{ left: expr.column(key), right: expr.column(key), merged: key }],
      where: null,
      suffix: "_right",
    };
    const rest = how === "semi" || how === "anti" ? [] : other.fields.filter(({ name }) => name !== otherKey);
    const merged = how === "right" ? otherKey : how === "full" ? `coalesce(${key}, ${otherKey})` : key;
    const left = query.fields.map(({ name }) => (name === key ? `${merged} AS ${key}` : name));
    const list = [...left, ...rest.map(({ name }) => name)].join(", ");
    const sides = `${query.sql} a ${how.toUpperCase()} JOIN ${other.sql} b ON ${key} = ${otherKey}`;
    return { node, fields: [...query.fields, ...rest], sql: `(SELECT ${list} FROM ${sides})`, inOrder: false };
  }

  /** The same rows under new names, so that both sides of a join differ; nested columns may be on one side only. */
  #renamed(query: Query, other: Query): Query {
    const taken = other.fields.some(({ type }) => isNested(type));
    const fields = taken ? query.fields.filter(({ type }) => !isNested(type)) : query.fields;
    return this.#project(
      query,
      fields.map((field) => ({ name: this.#name(), pair: columnPair(field) })),
    );
  }

  /** Mostly the keys of the tables, whose values are few. */
  #joinKeys(left: Query, right: Query): [Pair, Pair][] {
    const places = (query: Query) => query.fields.flatMap(placesOf).filter(({ type }) => !isNested(type));
    const pairs = places(left).flatMap((a) =>
      places(right)
        .filter((b) => sameType(a.type, b.type))
        .map((b): [Pair, Pair] => [a, b]),
    );
    const small = pairs.filter(([{ type }]) => ["int32", "bool", "utf8", "date32", "binary"].includes(type.kind));
    const from = small.length > 0 && this.#random.chance(0.5) ? small : pairs;
    return this.#random.sample(from, this.#random.chance(0.7) ? 1 : 2);
  }

  #top(query: Query): Query {
    const limit = { count: this.#random.below(20), offset: this.#random.chance(0.2) ? 2 : 0 };
    if (query.inOrder || !query.fields.some(({ type }) => isNested(type))) return this.#order(query, limit);
    // Which of equal rows come first is not known, so that rows must not differ in more than the keys.
    const flat = query.fields.filter(({ type }) => !isNested(type)).map(({ name }) => name);
    if (flat.length === 0) return query;
    const columns = query.fields.filter(({ name }) => flat.includes(name));
    return this.#order(
      this.#project(
        query,
        columns.map((field) => ({ name: field.name, pair: columnPair(field) })),
      ),
      limit,
    );
  }

  /** By all columns in a random order; rows that come in a known order by some, as equal ones stay as they are. */
  #order(query: Query, limit: { count: number; offset: number } | null): Query {
    const random = this.#random;
    const places = query.fields.flatMap(placesOf).filter(({ type }) => !isNested(type));
    if (places.length === 0) return query;
    const picked = random.sample(places, query.inOrder ? 1 + random.below(places.length) : places.length);
    const keys = picked.map((pair) => ({ pair, descending: random.chance(0.5), nullsFirst: random.chance(0.5) }));
    const sorted: LogicalNode = {
      kind: "sort",
      input: query.node,
      keys: keys.map(({ pair, ...direction }) => ({ expression: pair.ours, ...direction })),
    };
    const by = keys.map(({ pair, descending, nullsFirst }) => {
      return `${pair.sql} ${descending ? "DESC" : "ASC"} NULLS ${nullsFirst ? "FIRST" : "LAST"}`;
    });
    const names = query.fields.map(({ name }) => name).join(", ");
    const rows = query.inOrder ? `(SELECT *, row_number() OVER () AS in_order FROM ${query.sql})` : query.sql;
    const order = `SELECT ${names} FROM ${rows} ORDER BY ${[...by, ...(query.inOrder ? ["in_order"] : [])].join(", ")}`;
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
    case "none":
      return type.kind === "null" ? general.slice(0, 2) : [...general];
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
