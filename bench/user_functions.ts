/**
 * `npx bun bench/user_functions.ts`: rows a second through JavaScript functions, one worker, with each answer checked
 * against the same done by expressions.
 */
import { col, Stream, sum } from "../mod.ts";
import { rowsOf } from "../src/arrow/mod.ts";
import { median } from "./compare.ts";
import { dropBatches, openSetting, type Setting } from "./data.ts";

const ROWS = 3_000_000;
const RUNS = 7;

const facts = new Stream({
  kind: "scan",
  source: { connector: "memory", options: { table: "facts" } },
});

const SCHEMA = { a: "int32", x: "float64", y: "float64" } as const;

const CASES: readonly { name: string; stream: Stream; same: Stream }[] = [
  { name: "no operator, then three sums", stream: summed(facts), same: facts },
  {
    name: "mapBatches that gives its input, then three sums",
    stream: summed(facts.mapBatches((batch) => batch, SCHEMA)),
    same: facts,
  },
  {
    name: "map, three columns in and out",
    stream: facts.map((row) => ({ a: row.a, x: row.x + row.y, y: row.x - row.y }), SCHEMA),
    same: facts.select({ a: "a", x: col("x").add(col("y")), y: col("x").sub(col("y")) }),
  },
  {
    name: "map, three columns in, one out",
    stream: facts.map((row) => ({ x: row.x * row.a + row.y }), { x: "float64" }),
    same: facts.select({ x: col("x").mul(col("a")).add(col("y")) }),
  },
  {
    name: "filterRows",
    stream: facts.filterRows((row) => row.a < 500),
    same: facts.filter(col("a").lt(500)),
  },
];

function summed(stream: Stream): Stream {
  return stream.aggregate({ a: sum("a"), x: sum("x"), y: sum("y") });
}

await using setting = await openSetting([
  {
    name: "facts",
    sql: `SELECT (i % 1000)::INTEGER AS a, (i / 4.0)::DOUBLE AS x, (i * 2.0)::DOUBLE AS y FROM range(${ROWS}) t(i)`,
  },
]);

console.log("| case | ms | million rows a second |\n|---|---|---|");
for (const { name, stream, same } of CASES) {
  const [ours, theirs] = [await total(setting, stream), await total(setting, same)];
  if (Math.abs(ours - theirs) > 1e-9 * Math.abs(theirs)) throw new Error(`${name}: ${ours}, expected ${theirs}`);
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) times.push(await timed(setting, stream));
  const ms = median(times);
  console.log(`| ${name} | ${ms.toFixed(1)} | ${(ROWS / ms / 1000).toFixed(1)} |`);
}

async function total({ engine, tables }: Setting, stream: Stream): Promise<number> {
  const node = stream.aggregate({ total: sum(col("x").cast("float64")) }).node;
  await using run = await engine.run({ name: "total", roots: [node] }, { tables });
  for await (const batch of run.roots[0]?.batches ?? []) {
    const [row] = rowsOf(engine.arena, batch);
    return Number(row?.["total"]);
  }
  return Number.NaN;
}

async function timed({ engine, tables }: Setting, stream: Stream): Promise<number> {
  const startMs = performance.now();
  await using run = await engine.run({ name: "user functions", roots: [stream.node] }, { tables });
  for await (const batch of run.roots[0]?.batches ?? []) dropBatches(engine, [batch]);
  return performance.now() - startMs;
}
