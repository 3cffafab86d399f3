import { expect, test } from "vitest";
import { Arena, releaseBatch, type Schema, schema } from "../../../src/arrow/mod.ts";
import { explainPhysical, type PhysicalOptions, planPhysical } from "../../../src/jobs/mod.ts";
import { bind, explainPlan, optimise, type Plan, userFunctionsOf } from "../../../src/plan/mod.ts";
import { differenceOf, plainOfCell } from "../../differential/compare.ts";
import { CASE_ROWS_MAX, caseIn, connectDuckDb } from "../../differential/fuzz_case.ts";
import { type Case } from "../../differential/plans.ts";
import { Random } from "../../differential/random.ts";
import { batchesOf } from "../../differential/run_case.ts";
import type { TestTable } from "../../differential/tables.ts";
import type { Row } from "./exchanges.ts";
import { runTasks, runWhole, type Setup } from "./harness.ts";

const PLAN_COUNT = Number(process.env["PLANS"] ?? 40);
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000_000);

/** Like a real job: at times sizes are known, and small sides go everywhere. */
function randomOptions(random: Random, tables: readonly TestTable[]): Partial<PhysicalOptions> {
  const rowsOf = new Map(tables.map((table) => [table.name, table.rows.length]));
  const isKnown = random.chance(0.7);
  const rowCount = (table: unknown) => (isKnown ? (rowsOf.get(String(table)) ?? null) : null);
  return {
    slots: 7,
    parallelism: random.chance(0.8) ? random.pick([1, 2, 7]) : null,
    rowsPerTask: 20,
    broadcastRowsMax: random.pick([0, 50, 100_000]),
    gatherRowsMax: random.pick([0, 100]),
    sampleRowsMax: random.pick([5, 1_000]),
    facts: ({ options }) => ({ rowCount: rowCount(options["table"]), splitCount: null }),
    pipelines: random.chance(0.5),
  };
}

async function answer(run: () => Promise<Row[][]>): Promise<{ rows: Row[] } | { error: string }> {
  try {
    return { rows: (await run())[0] ?? [] };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no code";
    return { error: `${code}: ${error instanceof Error ? error.stack : String(error)}` };
  }
}

async function differenceIn(given: Case, of: { plan: Plan; setup: Setup; options: Partial<PhysicalOptions> }) {
  const whole = await answer(() => runWhole(of.plan, of.setup));
  const physical = planPhysical(of.plan, of.options);
  const tasks = await answer(() => runTasks(physical, of.setup));
  if ("error" in whole && "error" in tasks) return null;
  const text = `${explainPlan(of.plan)}\n\n${explainPhysical(physical)}\n`;
  if ("error" in whole) return `only the whole fails: ${whole.error}\n${text}`;
  if ("error" in tasks) return `only tasks fail: ${tasks.error}\n${text}`;
  const { fields } = given.query;
  const plain = (rows: readonly Row[]) => {
    return rows.map((row) => fields.map(({ name, type }) => plainOfCell(type, row[name] ?? null)));
  };
  const ordered = given.query.inOrder ? [...fields.keys()] : given.ordered;
  const types = fields.map(({ type }) => type);
  const difference = differenceOf(plain(tasks.rows), plain(whole.rows), { types, ordered });
  return difference === null ? null : `${difference}\n${text}`;
}

test(`${PLAN_COUNT} random plans give in tasks what they give whole (seed ${SEED})`, { timeout: 600_000 }, async () => {
  const connection = await connectDuckDb();
  const arena = Arena.create({ limitBytes: 1 << 30 });
  const failures: string[] = [];
  let crossed = 0;
  for (let i = 0; i < PLAN_COUNT; i++) {
    const seed = SEED + i;
    const random = new Random(seed);
    const given = await caseIn(connection, random, CASE_ROWS_MAX);
    const schemas = new Map<string, Schema>(given.tables.map((table) => [table.name, schema([...table.fields])]));
    const logical = { name: "case", roots: [given.query.node] };
    let plan: Plan;
    try {
      plan = optimise(bind(logical, (spec) => schemas.get(String(spec.options["table"])) as Schema));
    } catch {
      continue;
    }
    const tables = new Map(given.tables.map((table) => [table.name, batchesOf(arena, table)]));
    const options = randomOptions(random, given.tables);
    const setup: Setup = { arena, tables, userFunctions: userFunctionsOf(logical), seed, workers: random.pick([1, 2]) };
    const difference = await differenceIn(given, { plan, setup, options });
    if (planPhysical(plan, options).exchanges.length > 0) crossed++;
    if (difference !== null) {
      failures.push(`PLANS=1 SEED=${seed} (${options.parallelism} tasks): ${difference}\n${given.query.sql}`);
    }
    for (const batches of tables.values()) for (const batch of batches) releaseBatch(arena, batch);
  }
  expect(failures.slice(0, 3).join("\n\n")).toBe("");
  expect(failures.length).toBe(0);
  if (PLAN_COUNT >= 50) expect(crossed / PLAN_COUNT).toBeGreaterThan(0.4);
});
