import { describe, expect, it } from "vitest";
import { settle, strayErrors } from "../../scripts/sim_settle.ts";
import { runScenario } from "../../src/sim/mod.ts";
import { CANARIES } from "./canaries.ts";

const SEEDS_MAX = 500;
const MINUTES = 0.4;
const TIMEOUT_MS = 600_000;

describe("the simulator sees when nodes", () => {
  for (const [name, canary] of Object.entries(CANARIES)) {
    it(name, { timeout: TIMEOUT_MS }, async () => {
      let seed = 1;
      const isSeen = async () =>
        (await runScenario({ seed, settle, strayErrors, minutes: MINUTES, canary })).violations.length > 0;
      while (seed <= SEEDS_MAX && !(await isSeen())) seed++;
      expect(seed).toBeLessThanOrEqual(SEEDS_MAX);
    });
  }
});
