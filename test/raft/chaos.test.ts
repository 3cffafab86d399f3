import { expect, test } from "vitest";
import type { PeerId } from "../../src/kernel/mod.ts";
import { type Ballot, type RaftRules, RULES } from "../../src/raft/mod.ts";
import { Chaos } from "./chaos.ts";

const SEED_COUNT = Number(process.env["SEEDS"] ?? 60);
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

/** Wrong judgements that the schedules must notice, or they would notice nothing. */
const WRONG: Readonly<Record<string, Partial<RaftRules>>> = {
  "a ballot that arrives twice counts twice": {
    tally: (voters, ballots) =>
      RULES.tally(voters, ballots) === "won" || isMajority(voters, ballots) ? "won" : "open",
  },
  "a voter votes for everybody": { mayVoteFor: () => true },
  "a candidate may lack entries": { isLogCurrent: () => true },
  "less than half of the voters are a majority": {
    majorityValue: (values) =>
      [...values].sort((one, two) => two - one)[Math.max(0, Math.floor(values.length / 2) - 1)] ?? 0,
  },
  "leases last too long": { leaseEndMs: (sentMs, electionTimeoutMs) => sentMs + 3 * electionTimeoutMs },
  "a leader does not yield to a newer term": { yields: (own, term) => own.role !== "leader" && term > own.term },
};

function isMajority(voters: readonly PeerId[], ballots: readonly Ballot[]): boolean {
  return 2 * ballots.filter(({ isGranted }) => isGranted).length > voters.length;
}

for (const [name, wrong] of Object.entries(WRONG)) {
  test(`the schedules notice when ${name}`, () => {
    const isNoticed = (seed: number): boolean => {
      try {
        new Chaos(seed, { ...RULES, ...wrong }).run(STEPS);
        return false;
      } catch {
        return true;
      }
    };
    let seed = 1;
    while (seed <= 300 && !isNoticed(seed)) seed++;
    expect(seed).toBeLessThanOrEqual(300);
  }, 60_000);
}
