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
import { sha256, started } from "./support.ts";

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

test("a deposed JobManager's late move is refused, also where state and attempt are those that it believes", () => {
  const replica = started();
  const moved = (from: JobState, to: JobState, term: number) => {
    const command = { ...move(1, { from, to, attempt: replica.state.jobs.get(jobId(1))?.attempt ?? 1 }), term };
    return replica.try(command as Command);
  };
  replica.propose(create(1));
  expect(moved("submitted", "compiling", 3)).toBe("ok");
  expect(moved("compiling", "scheduling", 5)).toBe("ok");
  expect(moved("scheduling", "failing", 3)).toBe("stale");
  expect(replica.state.jobs.get(jobId(1))).toMatchObject({ state: "scheduling", term: 5 });
  const copy = started();
  copy.state.restore(replica.state.snapshot());
  expect(copy.state.jobs.get(jobId(1))?.term).toBe(5);
  expect(copy.state.digest()).toBe(replica.state.digest());
  expect(moved("scheduling", "running", 5)).toBe("ok");
  expect(replica.try(move(1, { from: "running", to: "failing", attempt: 1 }))).toBe("ok");
  expect(moved("failing", "failed", 4)).toBe("stale");
});

test("a job may go several steps at once, each by the table, with the times at which it did", () => {
  const replica = started();
  replica.propose(create(1));
  const from = { from: "submitted", attempt: 1 } as const;
  const via = [{ state: "compiling", agoMs: 0 }] as const;
  expect(replica.try({ ...move(1, { ...from, to: "running" }), via: [...via] } as Command)).toBe("illegal-move");
  expect(replica.state.jobs.get(jobId(1))).toMatchObject({ state: "submitted", history: [{ state: "submitted" }] });
  expect(replica.try({ ...move(1, { ...from, to: "scheduling" }), via: [...via] } as Command)).toBe("ok");
  const last = { ...move(1, { from: "scheduling", to: "restarting", attempt: 1 }), reason: "why" };
  const ways = ["running", "failing"].map((state, at) => ({ state, agoMs: 1e15 * (1 - at) }));
  expect(replica.try({ ...last, via: ways } as Command)).toBe("ok");
  const { history = [], ...job } = replica.state.jobs.get(jobId(1)) ?? {};
  expect(job).toMatchObject({ state: "restarting", attempt: 2 });
  const states = ["submitted", "compiling", "scheduling", "running", "failing", "restarting"];
  expect(history.map(({ state }) => state)).toEqual(states);
  expect(history.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1, 2]);
  expect(history.map(({ reason }) => reason)).toEqual(["", "", "", "", "", "why"]);
  const times = history.map(({ atMs }) => atMs);
  expect([...times].sort((a, b) => a - b)).toEqual(times);
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

const part = (text: string) => {
  const bytes = new TextEncoder().encode(text);
  return { hash: sha256(bytes) as never, bytes };
};

test("what comes with a job is a blob while a job holds it, and gone with the last", () => {
  const replica = started();
  const effects = (command: Command) => replica.propose(command).effects.map(({ kind, hash }) => `${kind} ${hash}`);
  const [plan, bundle, outline] = [part("plan"), part("bundle"), part("outline")];
  expect(effects({ ...create(1), parts: [plan, bundle] } as Command)).toEqual([
    `putBlob ${plan.hash}`,
    `putBlob ${bundle.hash}`,
  ]);
  expect(effects({ ...create(2), parts: [plan] } as Command)).toEqual([]);
  const notes = new Uint8Array([7]);
  const compiled = {
    ...move(1, { from: "submitted", to: "compiling", attempt: 1 }),
    parts: [outline],
    notes,
  } as Command;
  expect(effects(compiled)).toEqual([`putBlob ${outline.hash}`]);
  expect(replica.state.jobs.get(jobId(1))).toMatchObject({ blobs: [plan.hash, bundle.hash, outline.hash], notes });
  const bytes = replica.state.snapshot();
  replica.state.restore(bytes);
  expect(replica.state.snapshot()).toEqual(bytes);
  for (const number of [1, 2]) {
    const from = number === 1 ? "compiling" : "submitted";
    replica.propose(move(number, { from, to: "cancelling", attempt: 1 }));
    replica.propose(move(number, { from: "cancelling", to: "cancelled", attempt: 1 }));
  }
  const dropped = [bundle, outline].map(({ hash }) => `dropBlob ${hash}`);
  expect(effects({ kind: "job.delete", jobId: jobId(1) })).toEqual(dropped);
  expect(effects({ kind: "job.delete", jobId: jobId(2) })).toEqual([`dropBlob ${plan.hash}`]);
  expect([...replica.state.chunkHashes()]).toEqual([]);
});

test("what comes with a job must be what its hash says", () => {
  const replica = started();
  const wrong = { hash: part("a").hash, bytes: part("b").bytes };
  expect(replica.try({ ...create(1), parts: [part("c"), wrong] } as Command)).toBe("bad-blob");
  expect(replica.state.blobs.size).toBe(0);
  expect(replica.try(create(1))).toBe("ok");
  const bad = { ...move(1, { from: "submitted", to: "compiling", attempt: 1 }), parts: [wrong] } as Command;
  expect(replica.try(bad)).toBe("bad-blob");
  expect(replica.state.jobs.get(jobId(1))?.state).toBe("submitted");
});

test("a job that is created again is the one that is there, unless it is another", () => {
  const replica = started();
  const first = { ...create(1), parts: [part("plan")] } as Command;
  const number = (command: Command) => {
    const { outcome } = replica.propose(command);
    return outcome.ok && outcome.value.type === "job" ? outcome.value.number : outcome;
  };
  expect(number(first)).toBe(1);
  replica.propose(move(1, { from: "submitted", to: "compiling", attempt: 1 }));
  expect(number(first)).toBe(1);
  expect(replica.try({ ...create(1), parts: [part("other")] } as Command)).toBe("conflict");
  expect(replica.try({ ...create(1), name: "x" } as Command)).toBe("conflict");
  expect(number({ ...create(2), parts: [part("plan")] } as Command)).toBe(2);
});
