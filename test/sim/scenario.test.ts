import { describe, expect, it } from "vitest";
import { settle, strayErrors } from "../../scripts/sim_settle.ts";
import { reportOf, runScenario, type ScenarioOptions, type ScenarioResult } from "../../src/sim/mod.ts";

const SEEDS = Number(process.env["SEEDS"] ?? 200);
const FROM = Number(process.env["SEED"] ?? 1);
const MINUTES = 0.25;
const TIMEOUT_MS = 600_000;

const run = (seed: number, options: Partial<ScenarioOptions> = {}): Promise<ScenarioResult> =>
  runScenario({ seed, settle, strayErrors, minutes: MINUTES, ...options });

describe("a simulated cluster", () => {
  it(`keeps all its promises under every fault, from ${SEEDS} seeds on from ${FROM}`, {
    timeout: TIMEOUT_MS,
  }, async () => {
    const sum = { calls: 0, answers: 0, terms: 0, snapshots: 0, failed: "" };
    for (let seed = FROM; seed < FROM + SEEDS; seed++) {
      const result = await run(seed);
      const { calls, answers, terms, snapshotsRestored } = result.stats;
      sum.calls += calls;
      sum.answers += answers;
      sum.terms += terms;
      sum.snapshots += snapshotsRestored;
      sum.failed += reportOf(result, `npm run sim -- --seed ${seed} --minutes ${MINUTES} --trace`);
    }
    expect(sum.failed).toBe("");
    // Runs in which nothing happens would prove nothing.
    expect(sum.answers / SEEDS).toBeGreaterThan(50);
    expect(sum.calls).toBeGreaterThan(sum.answers);
    expect(sum.terms / SEEDS).toBeGreaterThan(2);
    expect(sum.snapshots).toBeGreaterThan(SEEDS / 20);
  });

  it("runs the same way twice from one seed, message by message", { timeout: TIMEOUT_MS }, async () => {
    for (const seed of [7, 8]) {
      const [one, other] = [await run(seed, { hasTrace: true }), await run(seed, { hasTrace: true })];
      expect(other.stats).toEqual(one.stats);
      expect(other.trace.text()).toBe(one.trace.text());
      expect(other.history).toEqual(one.history);
    }
    expect((await run(7)).stats.fingerprint).not.toBe((await run(8)).stats.fingerprint);
  });

  it("shows a run as text and as a sequence diagram", { timeout: TIMEOUT_MS }, async () => {
    const { trace } = await run(3, { hasTrace: true });
    expect(trace.text()).toMatch(/^ +\d+\.\d{4} n1 +node is leader/m);
    expect(trace.diagram()).toMatch(/^sequenceDiagram\n {2}participant n1\n/);
  });
});
