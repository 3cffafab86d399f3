/**
 * Aggregation against DuckDB on the same 6 M rows, the same number of threads and in the same run; answers are compared.
 *
 *   bun bench/aggregate.ts [case …]
 */
import { DuckDBInstance } from "@duckdb/node-api";
import {
  Arena,
  type Batch,
  bool,
  type Column,
  type DataType,
  date32,
  field,
  float64,
  int32,
  int64,
  releaseBatch,
  rowsOf,
  type Schema,
  schema,
  utf8,
} from "../src/arrow/mod.ts";
import { executePlan } from "../src/exec/mod.ts";
import type { AggregateCall, AggregateFunction, PlanNode, ScalarFunction, TypedExpression } from "../src/plan/mod.ts";
import { ThreadPool } from "../src/platform/thread_pool.ts";

const ROWS = 6_000_000;
const BATCH_ROWS = 65_536;
const THREADS = 2;
const RUNS = 11;
const U32 = 4_294_967_296;

/** The same pseudo-random numbers in JavaScript and in SQL: 0 … 2^32 − 1. */
function mixed(row: number, salt: number): number {
  const x = Math.imul(row + salt, 2_654_435_761) >>> 0;
  return Math.imul(x ^ (x >>> 15), 2_246_822_519) >>> 0;
}

function mixedSql(salt: number): string {
  const x = `(((i + ${salt})::ubigint * 2654435761) % ${U32})`;
  return `((xor(${x}, ${x} >> 15) * 2246822519) % ${U32})`;
}

interface BenchColumn {
  readonly name: string;
  readonly type: DataType;
  readonly sql: string;
  readonly fill: (arena: Arena, rows: { start: number; count: number }) => { column: Column; blocks: number[] };
}

function plainColumn(type: DataType, length: number, data: number): Column {
  return { type, length, nullCount: 0, validity: 0, offsets: 0, data, children: [], dictionary: null };
}

/** `step` × (random number below `below`) + `base`. */
function numbers(
  name: string,
  type: DataType,
  of: { salt: number; below: number; divisor?: number; base?: number },
): BenchColumn {
  const { salt, below, divisor = 1, base = 0 } = of;
  const sqlType = { float64: "double", int32: "integer", int64: "bigint", date32: "date" }[type.kind as "float64"];
  const value = `(${base} + ${mixedSql(salt)} % ${below})`;
  const sql =
    type.kind === "date32" ? `(date '1970-01-01' + ${value}::integer)` : `(${value}::double / ${divisor})::${sqlType}`;
  return {
    name,
    type,
    sql,
    fill(arena, { start, count }) {
      const bytes = type.kind === "int32" || type.kind === "date32" ? 4 : 8;
      const data = arena.allocate(bytes * count, 0);
      for (let i = 0; i < count; i++) {
        const number = (base + (mixed(start + i, salt) % below)) / divisor;
        if (type.kind === "float64") arena.f64[(data >>> 3) + i] = number;
        else if (type.kind === "int64") arena.i64[(data >>> 3) + i] = BigInt(number);
        else arena.i32[(data >>> 2) + i] = number;
      }
      return { column: plainColumn(type, count, data), blocks: [data] };
    },
  };
}

/** `prefix` and a random number below `below`, or one of `letters`. */
function texts(name: string, of: { salt: number; below: number; prefix?: string; letters?: string }): BenchColumn {
  const { salt, below, prefix = "", letters } = of;
  const number = `(${mixedSql(salt)} % ${below})`;
  const sql =
    letters === undefined ? `'${prefix}' || ${number}::varchar` : `substr('${letters}', (${number} + 1)::integer, 1)`;
  const encoder = new TextEncoder();
  const values = Array.from({ length: below }, (_, i) => encoder.encode(letters?.[i] ?? `${prefix}${i}`));
  return {
    name,
    type: utf8,
    sql,
    fill(arena, { start, count }) {
      const offsets = arena.allocate(4 * (count + 1), 0);
      const data = arena.allocate(count * Math.max(...values.map((value) => value.length)), 0);
      let at = 0;
      for (let i = 0; i < count; i++) {
        const value = values[mixed(start + i, salt) % below] as Uint8Array;
        arena.i32[(offsets >>> 2) + i] = at;
        arena.u8.set(value, data + at);
        at += value.length;
      }
      arena.i32[(offsets >>> 2) + count] = at;
      return { column: { ...plainColumn(utf8, count, data), offsets }, blocks: [offsets, data] };
    },
  };
}

const COLUMNS: readonly BenchColumn[] = [
  texts("flag", { salt: 1, below: 3, letters: "ANR" }),
  texts("status", { salt: 2, below: 2, letters: "FO" }),
  numbers("quantity", float64, { salt: 3, below: 50, base: 1 }),
  numbers("price", float64, { salt: 4, below: 10_000_000, divisor: 100, base: 90_000 }),
  numbers("discount", float64, { salt: 5, below: 11, divisor: 100 }),
  numbers("tax", float64, { salt: 6, below: 9, divisor: 100 }),
  numbers("shipped", date32, { salt: 7, below: 2_500, base: 8_036 }),
  numbers("k", int32, { salt: 8, below: 1_000_000 }),
  numbers("v", int64, { salt: 9, below: 1_000 }),
  texts("name", { salt: 10, below: 10_000, prefix: "key_" }),
];

function column(name: string): TypedExpression {
  const type = COLUMNS.find((c) => c.name === name)?.type ?? float64;
  return { kind: "column", name, type, nullable: false };
}

function literal(value: number, type: DataType): TypedExpression {
  return { kind: "literal", value, type, nullable: false };
}

function call(fn: ScalarFunction, type: DataType, ...args: TypedExpression[]): TypedExpression {
  return { kind: "call", fn, type, args, nullable: false };
}

interface BenchCase {
  readonly name: string;
  readonly sql: string;
  readonly columns: readonly string[];
  readonly filter: TypedExpression | null;
  readonly keys: readonly string[];
  readonly aggregates: readonly (readonly [AggregateFunction, TypedExpression | null])[];
  /** Times DuckDB's speed that is wanted. */
  readonly wanted: number;
}

const ONE = literal(1, float64);
const DISCOUNTED = call("multiply", float64, column("price"), call("subtract", float64, ONE, column("discount")));
const CHARGE = call("multiply", float64, DISCOUNTED, call("add", float64, ONE, column("tax")));

const CASES: readonly BenchCase[] = [
  {
    name: "TPC-H Q6 shape",
    sql: `select sum(price * discount) from t where shipped >= date '1994-01-01' and shipped < date '1995-01-01'
      and discount between 0.05 and 0.07 and quantity < 24`,
    columns: ["shipped", "discount", "quantity", "price"],
    filter: call(
      "and",
      bool,
      call("ge", bool, column("shipped"), literal(8_766, date32)),
      call("lt", bool, column("shipped"), literal(9_131, date32)),
      call("ge", bool, column("discount"), literal(0.05, float64)),
      call("le", bool, column("discount"), literal(0.07, float64)),
      call("lt", bool, column("quantity"), literal(24, float64)),
    ),
    keys: [],
    aggregates: [["sum", call("multiply", float64, column("price"), column("discount"))]],
    wanted: 4,
  },
  {
    name: "TPC-H Q1 shape",
    sql: `select flag, status, sum(quantity), sum(price), sum(price * (1 - discount)),
      sum(price * (1 - discount) * (1 + tax)), avg(quantity), avg(price), avg(discount), count(*)
      from t where shipped <= date '1998-09-02' group by all`,
    columns: ["flag", "status", "quantity", "price", "discount", "tax", "shipped"],
    filter: call("le", bool, column("shipped"), literal(10_471, date32)),
    keys: ["flag", "status"],
    aggregates: [
      ["sum", column("quantity")],
      ["sum", column("price")],
      ["sum", DISCOUNTED],
      ["sum", CHARGE],
      ["avg", column("quantity")],
      ["avg", column("price")],
      ["avg", column("discount")],
      ["count", null],
    ],
    wanted: 2.5,
  },
  {
    name: "1 M groups by int32",
    sql: "select k, sum(v), count(*) from t group by k",
    columns: ["k", "v"],
    filter: null,
    keys: ["k"],
    aggregates: [
      ["sum", column("v")],
      ["count", null],
    ],
    wanted: 1.5,
  },
  {
    name: "10 k groups by utf8",
    sql: "select name, sum(quantity), count(*) from t group by name",
    columns: ["name", "quantity"],
    filter: null,
    keys: ["name"],
    aggregates: [
      ["sum", column("quantity")],
      ["count", null],
    ],
    wanted: 1.2,
  },
];

function makeTable(arena: Arena): Batch[] {
  const of = schema(COLUMNS.map(({ name, type }) => field(name, type, false)));
  const batches: Batch[] = [];
  for (let start = 0; start < ROWS; start += BATCH_ROWS) {
    const rows = { start, count: Math.min(BATCH_ROWS, ROWS - start) };
    const filled = COLUMNS.map((c) => c.fill(arena, rows));
    batches.push({
      schema: of,
      rowCount: rows.count,
      columns: filled.map(({ column }) => column),
      blocks: filled.flatMap(({ blocks }) => blocks),
    });
  }
  return batches;
}

function planOf(of: BenchCase): PlanNode {
  const inputSchema = schema(of.columns.map((name) => field(name, column(name).type, false)));
  const calls: AggregateCall[] = of.aggregates.map(([fn, argument], i) => ({ name: `a${i}`, fn, argument }));
  const resultType = ({ fn, argument }: AggregateCall): DataType =>
    fn === "count" || (fn === "sum" && argument?.type.kind === "int64") ? int64 : float64;
  const scan: PlanNode = {
    kind: "scan",
    id: 1,
    schema: inputSchema,
    source: { connector: "memory", options: { table: "t" } },
    predicate: null,
    rowLimit: null,
  };
  const input: PlanNode =
    of.filter === null ? scan : { kind: "filter", id: 2, schema: inputSchema, input: scan, predicate: of.filter };
  const output: Schema = schema([
    ...of.keys.map((name) => field(name, column(name).type, false)),
    ...calls.map((c) => field(c.name, resultType(c))),
  ]);
  const keys = of.keys.map((name) => ({ name, expression: column(name) }));
  return { kind: "aggregate", id: 3, schema: output, input, keys, aggregates: calls };
}

/** Two numbers that depend on every cell: rows, and all cells summed up with texts hashed. */
function digest(rows: Iterable<readonly unknown[]>): { readonly rows: number; readonly sum: number } {
  let count = 0;
  let sum = 0;
  for (const row of rows) {
    count++;
    for (const cell of row) {
      if (typeof cell === "string") for (const char of cell) sum += char.charCodeAt(0);
      else sum += Number(cell);
    }
  }
  return { rows: count, sum };
}

async function timed(runs: number, body: () => Promise<void>): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await body();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

async function main(): Promise<void> {
  const wanted = process.argv.slice(2);
  const arena = Arena.create({ limitBytes: 3 * 2 ** 30 });
  const tables = new Map([["t", makeTable(arena)]]);
  const duck = await (await DuckDBInstance.create(":memory:", { threads: String(THREADS) })).connect();
  await duck.run(
    `create table t as select ${COLUMNS.map((c) => `${c.sql} as ${c.name}`).join(", ")} from range(${ROWS}) r(i)`,
  );
  const pool = new ThreadPool(arena, { size: THREADS, setup: { bundleUrl: null } });
  for (const of of CASES) {
    if (wanted.length > 0 && !wanted.some((text) => of.name.includes(text))) continue;
    const plan = { name: "bench", roots: [planOf(of)] };
    let answer = { rows: 0, sum: 0 };
    const run = async (withAnswer: boolean) => {
      const execution = executePlan(plan, pool, { tools: null as never, tables });
      const cells: unknown[][] = [];
      for await (const batch of execution.rows(0)) {
        if (withAnswer) for (const row of rowsOf(arena, batch)) cells.push(Object.values(row));
        releaseBatch(arena, batch);
      }
      await execution.close();
      if (withAnswer) answer = digest(cells);
    };
    await run(true);
    const reader = await duck.runAndReadAll(of.sql);
    const expected = digest(reader.getRows());
    const same = expected.rows === answer.rows && Math.abs(expected.sum - answer.sum) <= 1e-9 * Math.abs(expected.sum);
    // Alternating, so that both see the same machine.
    let [ours, theirs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (let i = 0; i < RUNS; i++) {
      ours = Math.min(ours, await timed(1, () => run(false)));
      theirs = Math.min(theirs, await timed(1, async () => void (await duck.run(of.sql))));
    }
    console.log(
      `${of.name}: ${ours.toFixed(1)} ms, DuckDB ${theirs.toFixed(1)} ms, ratio ${(theirs / ours).toFixed(2)} ` +
        `(wanted ${of.wanted}), ${answer.rows} rows, answers ${same ? "equal" : `DIFFER: ${answer.sum} and ${expected.sum}`}`,
    );
  }
  await pool.close();
}

await main();
