/**
 * `bun bench/join.ts [NAME …]`: joins of 6 M rows with 1.5 M: SAGE with two workers against DuckDB with two threads,
 * the same data in memory, answers compared in the same run. The first case is the one of `npm run bench`.
 */
import { col, count, Stream, sum } from "../mod.ts";
import { type BenchCase, compareCase } from "./compare.ts";
import { openSetting, type TableSpec } from "./data.ts";

const ROWS = 6_000_000;
const BUILD_ROWS = 1_500_000;

const random = (salt: number, below: number) => `((hash(i * 31 + ${salt}) % ${below})::BIGINT)`;
/** Spreads whole numbers over all of int64, so that they are no slot numbers. */
const spread = (key: string) => `(((${key}) * 2654435761) % 4611686018427387847)::BIGINT * 2 + 1`;

const TABLES: readonly TableSpec[] = [
  {
    name: "facts",
    sql: `SELECT
      ${random(13, BUILD_ROWS)} AS dense,
      ${spread(random(13, BUILD_ROWS))} AS sparse,
      ${spread(random(13, BUILD_ROWS * 10))} AS rare,
      'order-' || ${random(13, BUILD_ROWS)}::VARCHAR AS word,
      ${random(16, 100)}::DOUBLE AS amount
      FROM range(${ROWS}) t(i)`,
    plain: ["word"],
  },
  {
    name: "orders",
    sql: `SELECT i::BIGINT AS key, ${spread("i::BIGINT")} AS sparse_key, 'order-' || i::VARCHAR AS word_key,
      ${random(21, 100)}::DOUBLE AS factor FROM range(${BUILD_ROWS}) t(i) ORDER BY hash(i)`,
    plain: ["word_key"],
  },
];

const table = (name: string) => new Stream({ kind: "scan", source: { connector: "memory", options: { table: name } } });

const total = { total: sum(col("amount").mul(col("factor"))) };

function productCase(name: string, keys: readonly [string, string], atLeast: number | null): BenchCase {
  const [left, right] = keys;
  return {
    name,
    atLeast,
    sql: `SELECT sum(amount * factor) FROM facts JOIN orders ON ${left} = ${right}`,
    node: table("facts")
      .join(table("orders"), { on: { [left]: right } })
      .aggregate(total).node,
  };
}

const CASES: readonly BenchCase[] = [
  productCase("int64, close together", ["dense", "key"], 1.3),
  productCase("int64, far apart", ["sparse", "sparse_key"], 1.3),
  productCase("int64, one row in ten matches", ["rare", "sparse_key"], null),
  productCase("utf8", ["word", "word_key"], null),
  {
    name: "left join, one row in ten matches",
    atLeast: null,
    sql: "SELECT count(*), count(factor) FROM facts LEFT JOIN orders ON rare = sparse_key",
    node: table("facts")
      .join(table("orders"), { on: { rare: "sparse_key" }, how: "left" })
      .aggregate({ rows: count(), matched: count("factor") }).node,
  },
  {
    name: "semi join",
    atLeast: null,
    sql: "SELECT sum(amount) FROM facts SEMI JOIN orders ON rare = sparse_key",
    node: table("facts")
      .join(table("orders"), { on: { rare: "sparse_key" }, how: "semi" })
      .aggregate({ amount: sum("amount") }).node,
  },
];

const wanted = process.argv.slice(2);
const cases = CASES.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)));
await using setting = await openSetting(TABLES);
console.log("| case | SAGE ms | DuckDB ms | ratio | at least |\n|---|---|---|---|---|");
for (const given of cases) {
  const { name, sageMs, duckMs, ratio, atLeast } = await compareCase(setting, given);
  console.log(`| ${name} | ${sageMs.toFixed(1)} | ${duckMs.toFixed(1)} | ${ratio.toFixed(2)} | ${atLeast ?? ""} |`);
}
