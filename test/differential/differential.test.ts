import { expect, test } from "vitest";
import { Arena } from "../../src/arrow/mod.ts";
import { connectDuckDb, fuzzCase } from "./fuzz_case.ts";

const PLAN_COUNT = Number(process.env["PLANS"] ?? 300);
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000_000);

/** Share of cases that may end in a range error: more would mean that little is compared. */
const REFUSED_SHARE_MAX = 0.2;

/** Share of results that may have no rows. */
const EMPTY_SHARE_MAX = 0.15;

test(`${PLAN_COUNT} random plans give DuckDB's results (seed ${SEED})`, { timeout: 600_000 }, async () => {
  const connection = await connectDuckDb();
  const arena = Arena.create({ limitBytes: 1 << 30 });
  const failures: string[] = [];
  let refused = 0;
  let empty = 0;
  for (let i = 0; i < PLAN_COUNT; i++) {
    const { given, outcome } = await fuzzCase(SEED + i, { arena, connection });
    if (outcome.kind === "refused") refused++;
    if (outcome.kind === "equal" && outcome.rows === 0) empty++;
    if (outcome.kind === "different") {
      failures.push(`PLANS=1 SEED=${SEED + i}: ${outcome.difference}\n  ${given.query.sql}`);
    }
  }
  expect(failures.slice(0, 5).join("\n\n")).toBe("");
  if (PLAN_COUNT < 50) return;
  expect(refused / PLAN_COUNT).toBeLessThanOrEqual(REFUSED_SHARE_MAX);
  expect(empty / PLAN_COUNT).toBeLessThanOrEqual(EMPTY_SHARE_MAX);
});
