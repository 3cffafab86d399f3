/**
 * `npm run bench [-- NAME …]`: SAGE with two workers against DuckDB with two threads, the same data in memory, answers
 * compared in the same run. Prints a table; names choose the cases that contain them.
 */
import { fileURLToPath } from "node:url";
import { avg, col, count, lit, max, Stream, sum } from "../mod.ts";
import { type BenchCase, compareCase } from "./compare.ts";
import { openSetting, type TableSpec } from "./data.ts";

const ROWS = 6_000_000;
const BUILD_ROWS = 1_500_000;

/** Deterministic numbers 0 ≤ x < n from a row number. */
const random = (salt: number, below: number) => `((hash(i * 31 + ${salt}) % ${below})::BIGINT)`;

const TABLES: readonly TableSpec[] = [
  {
    name: "lineitem",
    sql: `SELECT
      ('1992-01-01'::DATE + ${random(1, 2526)}::INTEGER)::DATE AS shipdate,
      (1 + ${random(2, 50)})::DOUBLE AS quantity,
      (900 + ${random(3, 104_000)} / 1.0)::DOUBLE AS price,
      (${random(4, 11)} / 100.0)::DOUBLE AS discount,
      (${random(5, 9)} / 100.0)::DOUBLE AS tax,
      ['A', 'N', 'R'][1 + ${random(6, 3)}] AS returnflag,
      ['F', 'O'][1 + ${random(7, 2)}] AS linestatus
      FROM range(${ROWS}) t(i)`,
  },
  {
    name: "facts",
    sql: `SELECT
      ${random(11, 1_000_000)}::INTEGER AS many,
      ${random(12, 10_000)}::INTEGER::VARCHAR || '-customer' AS customer,
      ${random(13, BUILD_ROWS)}::BIGINT AS orderkey,
      ${random(14, 1_000_000_000)} / 7.0 AS x,
      ${random(15, 1000)}::INTEGER AS small,
      ${random(16, 100)}::DOUBLE AS amount,
      ['carefully final', 'quick brown fox', 'special requests', 'pending ideas', 'ironic packages'][1 + ${random(17, 5)}]
        || ' ' || ${random(18, 1_000_000)}::VARCHAR || ' ' || ['sleep', 'haggle', 'nag'][1 + ${random(19, 3)}] AS comment
      FROM range(${ROWS}) t(i)`,
    plain: ["customer", "comment"],
  },
  {
    name: "orders",
    sql: `SELECT i::BIGINT AS key, ${random(21, 100)}::DOUBLE AS factor FROM range(${BUILD_ROWS}) t(i) ORDER BY hash(i)`,
  },
];

/** A table that `Setting` holds in the arena. */
const table = (name: string) => new Stream({ kind: "scan", source: { connector: "memory", options: { table: name } } });

const FLIGHTS = fileURLToPath(new URL("../node_modules/vega-datasets/data/flights-3m.parquet", import.meta.url));

const CASES: readonly BenchCase[] = [
  {
    name: "TPC-H Q6 shape",
    atLeast: 4,
    sql: `SELECT sum(price * discount) FROM lineitem WHERE shipdate >= DATE '1994-01-01' AND shipdate < DATE '1995-01-01'
      AND discount BETWEEN 0.05 AND 0.07 AND quantity < 24`,
    node: table("lineitem")
      .filter(
        col("shipdate")
          .ge(lit("1994-01-01").cast("date32"))
          .and(col("shipdate").lt(lit("1995-01-01").cast("date32")))
          .and(col("discount").between(0.05, 0.07))
          .and(col("quantity").lt(24)),
      )
      .aggregate({ revenue: sum(col("price").mul(col("discount"))) }).node,
  },
  {
    name: "sums of Q6's columns, no filter",
    atLeast: null,
    sql: "SELECT sum(price), sum(discount), sum(quantity), max(shipdate) - DATE '1970-01-01' FROM lineitem",
    node: table("lineitem").aggregate({
      price: sum("price"),
      discount: sum("discount"),
      quantity: sum("quantity"),
      shipdate: max("shipdate"),
    }).node,
  },
  {
    name: "TPC-H Q1 shape",
    atLeast: 2.5,
    sql: `SELECT returnflag, linestatus, sum(quantity), sum(price), sum(price * (1 - discount)),
      sum(price * (1 - discount) * (1 + tax)), avg(quantity), avg(price), avg(discount), count(*)
      FROM lineitem WHERE shipdate <= DATE '1998-09-02' GROUP BY returnflag, linestatus`,
    node: table("lineitem")
      .filter(col("shipdate").le(lit("1998-09-02").cast("date32")))
      .groupBy("returnflag", "linestatus")
      .aggregate({
        quantities: sum("quantity"),
        prices: sum("price"),
        discounted: sum(col("price").mul(lit(1).sub(col("discount")))),
        charged: sum(
          col("price")
            .mul(lit(1).sub(col("discount")))
            .mul(lit(1).add(col("tax"))),
        ),
        quantity: avg("quantity"),
        price: avg("price"),
        discount: avg("discount"),
        orders: count(),
      }).node,
  },
  {
    name: "group by int32, 1 M groups",
    atLeast: 1.5,
    sql: "SELECT many, sum(amount), count(*) FROM facts GROUP BY many",
    node: table("facts")
      .groupBy("many")
      .aggregate({ total: sum("amount"), rows: count() }).node,
  },
  {
    name: "group by utf8, 10 k groups",
    atLeast: 1.2,
    sql: "SELECT customer, sum(amount), count(*) FROM facts GROUP BY customer",
    node: table("facts")
      .groupBy("customer")
      .aggregate({ total: sum("amount"), rows: count() }).node,
  },
  {
    name: "hash join 6 M × 1.5 M, sum of a product",
    atLeast: 1.3,
    sql: "SELECT sum(amount * factor) FROM facts JOIN orders ON orderkey = key",
    node: table("facts")
      .join(table("orders"), { on: { orderkey: "key" } })
      .aggregate({ total: sum(col("amount").mul(col("factor"))) }).node,
  },
  {
    name: "top 100 by two keys",
    atLeast: 1.5,
    sql: "SELECT small, x, many FROM facts ORDER BY small DESC, x LIMIT 100",
    node: table("facts").select("small", "x", "many").orderBy({ small: "desc", x: "asc" }).limit(100).node,
    comparedRows: 100,
  },
  {
    name: "full sort by float64",
    atLeast: 1.2,
    sql: "SELECT x, many FROM facts ORDER BY x",
    node: table("facts").select("x", "many").orderBy("x").node,
    comparedRows: 5,
  },
  {
    name: "utf8 contains, count",
    atLeast: 1.2,
    sql: "SELECT count(*) FROM facts WHERE contains(comment, 'special')",
    node: table("facts").filter(col("comment").contains("special")).aggregate({ rows: count() }).node,
  },
  {
    name: "flights file: delays by origin",
    atLeast: null,
    sql: `SELECT origin, avg(delay), count(*) FROM '${FLIGHTS}' WHERE distance > 500 GROUP BY origin`,
    node: Stream.fromParquet(FLIGHTS)
      .filter(col("distance").gt(500))
      .groupBy("origin")
      .aggregate({ delay: avg("delay"), flights: count() }).node,
  },
  {
    name: "flights file: top 100 by delay",
    atLeast: null,
    sql: `SELECT delay, date, origin, destination FROM '${FLIGHTS}' ORDER BY delay DESC, date, origin, destination LIMIT 100`,
    node: Stream.fromParquet(FLIGHTS)
      .select("delay", "date", "origin", "destination")
      .orderBy({ delay: "desc", date: "asc", origin: "asc", destination: "asc" })
      .limit(100).node,
    comparedRows: 0,
  },
  {
    name: "flights file: total distance",
    atLeast: null,
    sql: `SELECT sum(distance), count(*) FROM '${FLIGHTS}' WHERE delay > 30`,
    node: Stream.fromParquet(FLIGHTS)
      .filter(col("delay").gt(30))
      .aggregate({ miles: sum("distance"), rows: count() }).node,
  },
];

const wanted = process.argv.slice(2);
const cases = CASES.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
const used = TABLES.filter(({ name }) => cases.some(({ sql }) => sql.includes(name)));
await using setting = await openSetting(used);
console.log("| case | SAGE ms | DuckDB ms | ratio | at least |\n|---|---|---|---|---|");
for (const given of cases) {
  try {
    const { name, sageMs, duckMs, ratio, atLeast } = await compareCase(setting, given);
    console.log(`| ${name} | ${sageMs.toFixed(1)} | ${duckMs.toFixed(1)} | ${ratio.toFixed(2)} | ${atLeast ?? ""} |`);
  } catch (error) {
    console.log(`| ${given.name} | ${error instanceof Error ? error.message.slice(0, 160) : String(error)} | | | |`);
    process.exitCode = 1;
  }
}
