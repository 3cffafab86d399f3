import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Command,
  canMove,
  isEnded,
  JOB_STATE_TABLE,
  JOB_STATES,
  type JobState,
  jobStatesDiagram,
} from "../../../src/cluster/mod.ts";
import { started } from "./support.ts";

const jobId = (number: number): string => number.toString(16).padStart(32, "0");
const create = (number: number): Command => ({
  kind: "job.create",
  jobId: jobId(number),
  name: `job ${number}`,
  blobs: [],
  options: new Uint8Array(0),
});
const move = (number: number, step: { from: JobState; to: JobState; attempt: number }): Command => ({
  kind: "job.move",
  jobId: jobId(number),
  reason: "",
  ...step,
});

test("every state can be reached, and from every state the job can end", () => {
  const reached = new Set<JobState>(["submitted"]);
  for (const state of reached) for (const next of JOB_STATE_TABLE[state].next) reached.add(next);
  expect([...reached].sort()).toEqual([...JOB_STATES].sort());
  const canEnd = new Set(JOB_STATES.filter(isEnded));
  for (let round = 0; round < JOB_STATES.length; round++) {
    for (const state of JOB_STATES) if (JOB_STATE_TABLE[state].next.some((next) => canEnd.has(next))) canEnd.add(state);
  }
  expect(canEnd.size).toBe(JOB_STATES.length);
});

test("the diagram has every move of the table and no other", () => {
  const lines = jobStatesDiagram().split("\n");
  const drawn = lines.filter((line) => /^ {2}[a-z]+ --> [a-z]+$/.test(line)).map((line) => line.trim());
  const moves = JOB_STATES.flatMap((from) => JOB_STATE_TABLE[from].next.map((to) => `${from} --> ${to}`));
  expect(drawn.sort()).toEqual(moves.sort());
  expect(lines[0]).toBe("stateDiagram-v2");
});

test("a job only ever moves along the table, whatever is proposed", () => {
  const anyState = fc.constantFrom(...JOB_STATES);
  const step = fc.record({
    from: anyState,
    to: anyState,
    attempt: fc.integer({ min: 1, max: 3 }),
    isAimed: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const replica = started();
      replica.propose(create(1));
      for (const { from, to, attempt, isAimed } of steps) {
        const before = replica.state.jobs.get(jobId(1));
        if (before === undefined) throw new Error("the job is gone");
        const aim = isAimed ? { from: before.state, attempt: before.attempt } : { from, attempt };
        const { outcome } = replica.propose(move(1, { ...aim, to }));
        const isLegal = aim.from === before.state && aim.attempt === before.attempt && canMove(aim.from, to);
        const after = replica.state.jobs.get(jobId(1));
        expect(outcome.ok).toBe(isLegal);
        expect(after?.state).toBe(isLegal ? to : before.state);
        expect(after?.attempt).toBe(isLegal && to === "restarting" ? before.attempt + 1 : before.attempt);
      }
    }),
    { numRuns: 100 },
  );
});

test("ended jobs beyond the limit are forgotten in the order in which they ended; stopped ones stay", () => {
  const replica = started();
  const end = (number: number, to: "cancelled" | "stopped"): void => {
    replica.propose(create(number));
    replica.propose(move(number, { from: "submitted", to: "cancelling", attempt: 1 }));
    replica.propose(move(number, { from: "cancelling", to, attempt: 1 }));
  };
  end(1, "stopped");
  for (let number = 2; number <= 1_003; number++) end(number, "cancelled");
  expect([1, 2, 3, 4].map((number) => replica.state.jobs.has(jobId(number)))).toEqual([true, false, false, true]);
  const copy = started();
  copy.state.restore(replica.state.snapshot());
  for (const { state } of [replica, copy]) {
    const at = state.appliedIndex;
    const restart = replica.encode(move(4, { from: "cancelled", to: "restarting", attempt: 1 }), {
      request: { sequence: 5_000 },
    });
    expect(state.apply(at + 1, restart).outcome.ok).toBe(true);
  }
  expect(copy.state.digest()).toBe(replica.state.digest());
});
