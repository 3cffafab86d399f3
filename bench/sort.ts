/** `npx bun bench/sort.ts [NAME …]`: sorts of several kinds against DuckDB, as in `main.ts`. */
import { col, Stream } from "../mod.ts";
import { type BenchCase, compareCase } from "./compare.ts";
import { openSetting } from "./data.ts";

const ROWS = 6_000_000;
const random = (salt: number, below: number) => `((hash(i * 31 + ${salt}) % ${below})::BIGINT)`;

const facts = new Stream({ kind: "scan", source: { connector: "memory", options: { table: "facts" } } });

const TABLE = {
  name: "facts",
  sql: `SELECT ${random(14, 1_000_000_000)} / 7.0 AS x, ${random(15, 1000)}::INTEGER AS small,
    ${random(11, 1_000_000)}::INTEGER AS many, ${random(12, 10_000)}::VARCHAR || '-customer' AS customer
    FROM range(${ROWS}) t(i)`,
  plain: ["customer"],
};

const CASES: readonly BenchCase[] = [
  {
    name: "one float64, two columns",
    atLeast: 1.2,
    sql: "SELECT x, many FROM facts ORDER BY x",
    node: facts.select("x", "many").orderBy("x").node,
    comparedRows: 5,
  },
  {
    name: "int32 down, float64, three columns",
    atLeast: null,
    sql: "SELECT small, x, many FROM facts ORDER BY small DESC, x",
    node: facts.select("small", "x", "many").orderBy({ small: "desc", x: "asc" }).node,
    comparedRows: 1000,
  },
  {
    name: "utf8, float64",
    atLeast: null,
    sql: "SELECT customer, x FROM facts ORDER BY customer, x",
    node: facts.select("customer", "x").orderBy("customer", "x").node,
    comparedRows: 1000,
  },
  {
    name: "top 100 by int32 down, float64",
    atLeast: 1.5,
    sql: "SELECT small, x, many FROM facts ORDER BY small DESC, x LIMIT 100",
    node: facts.select("small", "x", "many").orderBy({ small: "desc", x: "asc" }).limit(100).node,
    comparedRows: 100,
  },
  {
    name: "top 100 by float64",
    atLeast: null,
    sql: "SELECT x, many FROM facts ORDER BY x LIMIT 100",
    node: facts.select("x", "many").orderBy("x").limit(100).node,
    comparedRows: 100,
  },
  {
    name: "top 100 by an expression",
    atLeast: null,
    sql: "SELECT x, small FROM facts ORDER BY x * small DESC, x LIMIT 100",
    node: facts
      .select("x", "small")
      .orderBy({ by: col("x").mul(col("small")), order: "desc" }, "x")
      .limit(100).node,
    comparedRows: 100,
  },
];

const wanted = process.argv.slice(2);
await using setting = await openSetting([TABLE]);
console.log("| case | SAGE ms | DuckDB ms | ratio | at least |\n|---|---|---|---|---|");
for (const given of CASES.filter(({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)))) {
  const { name, sageMs, duckMs, ratio, atLeast } = await compareCase(setting, given);
  console.log(`| ${name} | ${sageMs.toFixed(1)} | ${duckMs.toFixed(1)} | ${ratio.toFixed(2)} | ${atLeast ?? ""} |`);
}
