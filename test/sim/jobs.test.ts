import { describe, expect, it } from "vitest";
import { settle, strayErrors } from "../../scripts/sim_settle.ts";
import { type JobScenarioOptions, reportOf, runJobScenario } from "../../src/sim/mod.ts";
import { JOB_CANARIES } from "./job_canaries.ts";

const SEEDS = Number(process.env["SEEDS"] ?? 200);
const FROM = Number(process.env["SEED"] ?? 1);
const MINUTES = 0.06;
const TIMEOUT_MS = 900_000;
const CANARY_SEEDS_MAX = 500;

const run = (seed: number, options: Partial<JobScenarioOptions> = {}) =>
  runJobScenario({ seed, settle, strayErrors, minutes: MINUTES, ...options });

describe("jobs on a simulated cluster", () => {
  it(`end with the result of an undisturbed run and leave nothing, from ${SEEDS} seeds on from ${FROM}`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    const sum = { accepted: 0, finished: 0, terms: 0, failed: "" };
    for (let seed = FROM; seed < FROM + SEEDS; seed++) {
      const result = await run(seed);
      sum.accepted += result.stats.accepted;
      sum.finished += result.stats.finished;
      sum.terms += result.stats.terms;
      sum.failed += reportOf(result, `npm run sim -- --profile jobs --seed ${seed} --minutes ${MINUTES} --trace`);
    }
    expect(sum.failed).toBe("");
    // Runs in which nothing happens would prove nothing.
    expect(sum.accepted / SEEDS).toBeGreaterThan(3);
    expect(sum.finished / SEEDS).toBeGreaterThan(2.5);
    expect(sum.terms / SEEDS).toBeGreaterThan(1.5);
  });

  it("go the same way twice from one seed, message by message", { timeout: TIMEOUT_MS }, async () => {
    for (const seed of [7, 8]) {
      const [one, other] = [await run(seed, { hasTrace: true }), await run(seed, { hasTrace: true })];
      expect(other.trace.text()).toBe(one.trace.text());
      expect(other.stats).toEqual(one.stats);
    }
  });
});

describe("the simulator sees when", () => {
  for (const [name, { make, options = {}, fromSeed = 1 }] of Object.entries(JOB_CANARIES)) {
    it(name, { timeout: TIMEOUT_MS }, async () => {
      let seed = fromSeed;
      const isSeen = async () => (await run(seed, { ...options, canary: make() })).violations.length > 0;
      while (seed <= CANARY_SEEDS_MAX && !(await isSeen())) seed++;
      expect(seed).toBeLessThanOrEqual(CANARY_SEEDS_MAX);
    });
  }
});
