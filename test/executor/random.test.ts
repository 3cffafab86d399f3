import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { afterAll, expect, test } from "vitest";
import { schema } from "../../src/arrow/mod.ts";
import { explainPhysical } from "../../src/jobs/mod.ts";
import { bind, explainPlan, optimise, type Plan, userFunctionsOf } from "../../src/plan/mod.ts";
import { differenceOf, plainOfCell } from "../differential/compare.ts";
import { CASE_ROWS_MAX, caseIn, connectDuckDb } from "../differential/fuzz_case.ts";
import { Random } from "../differential/random.ts";
import type { Row } from "../jobs/physical/exchanges.ts";
import { TestCluster } from "./cluster.ts";
import { physicalOf, runWhole, withConnector } from "./flows.ts";
import { tables } from "./table_source.ts";

const PLAN_COUNT = Number(process.env["PLANS"] ?? 30);
const TIMEOUT_MS = Math.max(300_000, 10_000 * PLAN_COUNT);
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000_000);

const directory = mkdtempSync(join(tmpdir(), "sage-executor-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function whole(plan: Plan, functions: Parameters<typeof runWhole>[1]): Promise<Row[] | null> {
  try {
    return (await runWhole(plan, functions))[0] ?? [];
  } catch {
    return null;
  }
}

/** What executors give differently than one machine; null when nothing. */
async function differenceOfSeed(seed: number, connection: DuckDBConnection): Promise<string | null> {
  const random = new Random(seed);
  const given = await caseIn(connection, random, CASE_ROWS_MAX);
  for (const table of given.tables) tables.set(table.name, { schema: schema([...table.fields]), rows: table.rows });
  const logical = { name: "case", roots: [given.query.node] };
  let plan: Plan;
  try {
    const bound = bind(logical, (spec) => tables.get(String(spec.options["table"]))?.schema ?? schema([]));
    plan = withConnector(optimise(bound));
  } catch {
    return null;
  }
  const userFunctions = userFunctionsOf(logical);
  const [agents, slots] = random.pick([
    [1, 2],
    [2, 4],
    [5, 2],
  ] as const);
  const physical = physicalOf(plan, {
    slots: agents * slots,
    parallelism: random.pick([1, 2, 7]),
    broadcastRowsMax: random.pick([0, 100_000]),
    gatherRowsMax: random.pick([0, 100]),
    sampleRowsMax: random.pick([5, 1_000]),
    pipelines: random.chance(0.5),
  });
  const codec = random.pick(["none", "lz4", "zstd"] as const);
  const settings = { restartsMax: 0, taskRetriesMax: 0 };
  const cluster = new TestCluster({ agents, slots, directory, userFunctions, codec, settings });
  await cluster.start();
  try {
    const expected = await whole(plan, userFunctions);
    const got = (await cluster.run(physical))[0] ?? [];
    const text = `${explainPlan(plan)}\n\n${explainPhysical(physical)}\n${given.query.sql}`;
    const left = await cluster.release();
    if (left.bytes !== 0) return `${left.bytes} bytes are left\n${text}`;
    if (expected === null) return cluster.state === "failed" ? null : `only the whole fails\n${text}`;
    if (cluster.state !== "finished") return `${JSON.stringify(cluster.history.at(-1))}\n${text}`;
    const { fields } = given.query;
    const plain = (rows: readonly Row[]) => {
      return rows.map((row) => fields.map(({ name, type }) => plainOfCell(type, row[name] ?? null)));
    };
    const ordered = given.query.inOrder ? [...fields.keys()] : given.ordered;
    const types = fields.map(({ type }) => type);
    const difference = differenceOf(plain(got), plain(expected), { types, ordered });
    return difference === null ? null : `${difference}\n${text}`;
  } finally {
    await cluster.stop();
  }
}

test(`${PLAN_COUNT} random plans on executors (seed ${SEED})`, { timeout: TIMEOUT_MS }, async () => {
  const connection = await connectDuckDb();
  const failures: string[] = [];
  for (let i = 0; i < PLAN_COUNT; i++) {
    const difference = await differenceOfSeed(SEED + i, connection);
    if (difference !== null) failures.push(`PLANS=1 SEED=${SEED + i}: ${difference}`);
  }
  expect(failures.slice(0, 3).join("\n\n")).toBe("");
  expect(failures.length).toBe(0);
});
