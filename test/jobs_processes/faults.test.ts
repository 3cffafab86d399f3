import { expect, test } from "vitest";
import { type Case, lacksFor, outcomeText, runMatrix } from "./support/matrix.ts";

const LIMIT_MS = 600_000;
const SHUFFLE = { name: "shuffle", roots: [0], params: { rows: 200_000 } };
const SORT = { name: "sort", roots: [], params: { rows: 400_000 } };

/** `npm run chaos -- --jobs` has all of them. */
const CASES: readonly Case[] = [
  { job: SHUFFLE, fault: "kill executor", phase: "in shuffle" },
  { job: SORT, fault: "kill agent", phase: "in sort" },
  { job: SHUFFLE, fault: "kill JobManager", phase: "before deploy" },
  { job: SORT, fault: "kill JobManager", phase: "after the commit" },
  { job: SORT, fault: "kill client", phase: "in shuffle" },
  { job: SHUFFLE, fault: "full sink disk", phase: "before deploy" },
];

test("a job survives what happens to its cluster, or fails with a reason and has written nothing", {
  timeout: LIMIT_MS,
}, async ({ skip }) => {
  const seed = Number(process.env["SAGE_CHAOS_SEED"] ?? Date.now() % 1_000_000);
  const cases = CASES.filter(({ fault }) => lacksFor(fault) === null);
  if (cases.length === 0) skip(lacksFor("kill executor") ?? "");
  console.log(`seed ${seed}`);
  const outcomes = await runMatrix({ seed, cases, say: (line) => console.log(line) });
  expect(outcomes.filter(({ wrong }) => wrong.length > 0).map(outcomeText)).toEqual([]);
});
