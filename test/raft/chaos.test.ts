import { expect, test } from "vitest";
import { Chaos } from "./chaos.ts";

const SEED_COUNT = Number(process.env["SEEDS"] ?? 100);
const FIRST_SEED = Number(process.env["SEED"] ?? Math.floor(performance.now() * 1000) % 1_000_000);
const STEPS = 3_000;

test(`what was acknowledged is never lost, under loss, reorder, doubling, crashes and changes (from seed ${FIRST_SEED})`, () => {
  const sum = { leaders: 0, reads: 0, failedReads: 0, snapshots: 0, acknowledged: 0, applied: 0 };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEED_COUNT; seed++) {
    try {
      const result = new Chaos(seed).run(STEPS);
      for (const [key, value] of Object.entries(result)) sum[key as keyof typeof sum] += value;
    } catch (error) {
      throw new Error(`SEED=${seed} SEEDS=1: ${(error as Error).message}`, { cause: error });
    }
  }
  console.log(`raft chaos: ${SEED_COUNT} seeds from ${FIRST_SEED}: ${JSON.stringify(sum)}`);
  // A schedule in which nothing happens would prove nothing.
  expect(sum.acknowledged / SEED_COUNT).toBeGreaterThan(20);
  expect(sum.reads / SEED_COUNT).toBeGreaterThan(10);
  expect(sum.leaders / SEED_COUNT).toBeGreaterThan(2);
  expect(sum.snapshots).toBeGreaterThan(0);
}, 60_000);
