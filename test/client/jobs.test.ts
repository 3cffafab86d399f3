import { expect, test } from "vitest";
import { dataflow, Stream } from "../../mod.ts";
import { ClientError, checkSubmission, withAbsolutePaths } from "../../src/client/mod.ts";
import { resumed } from "../../src/client/resume.ts";
import type { Clock } from "../../src/kernel/mod.ts";
import { numberOperators, sourcesOf } from "../../src/plan/mod.ts";

/** Waits are over at once, and take their time. */
function quickClock(): Clock {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    wake(delayMs, run) {
      nowMs += delayMs;
      queueMicrotask(run);
      return () => undefined;
    },
    soon: (run) => queueMicrotask(run),
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const passing = () => new ClientError("not-reachable", "gone for a moment");

test("a stream that breaks goes on behind its last item", async () => {
  let next = 0;
  let breaks = 0;
  async function* open() {
    while (next < 10) {
      if (next % 3 === 2 && breaks++ % 2 === 0) throw passing();
      yield next++;
    }
  }
  expect(await all(resumed(open, { clock: quickClock(), patienceMs: 30_000 }))).toEqual([...Array(10).keys()]);
  expect(breaks).toBeGreaterThan(3);
});

test("a stream that stays broken ends with its error, and one that cannot pass does at once", async () => {
  let tries = 0;
  const throwing = (error: Error): AsyncIterable<never> => ({
    [Symbol.asyncIterator]: () => ({
      next() {
        tries++;
        return Promise.reject(error);
      },
    }),
  });
  const broken = resumed(() => throwing(passing()), { clock: quickClock(), patienceMs: 5_000 });
  await expect(all(broken)).rejects.toThrow("gone for a moment");
  expect(tries).toBeGreaterThan(5);
  tries = 0;
  const never = new ClientError("refused", "never");
  const refused = resumed(() => throwing(never), { clock: quickClock(), patienceMs: 5_000 });
  await expect(all(refused)).rejects.toThrow("never");
  expect(tries).toBe(1);
});

test("paths become absolute, operators keep their ids, shared parts stay shared", () => {
  const source = Stream.fromCsv(["a.csv", "/b/*.csv", "s3://bucket/c.csv"], { onBadRow: { path: "bad.csv" } });
  const left = source.filter("x");
  const plan = dataflow("paths", () => [left.union(source.limit(3)).toCsv("out/x.csv"), source]).plan;
  const absolute = withAbsolutePaths(plan, (path) => (path.startsWith("/") ? path : `/here/${path}`));
  const [spec, ...others] = sourcesOf(absolute);
  expect(others).toEqual([]);
  expect(spec?.options).toMatchObject({
    paths: ["/here/a.csv", "/b/*.csv", "s3://bucket/c.csv"],
    onBadRow: { path: "/here/bad.csv" },
  });
  const kinds = (of: typeof plan) => [...numberOperators(of)].map(([node, id]) => [node.kind, id]);
  expect(kinds(absolute)).toEqual(kinds(plan));
  const [sink] = absolute.roots;
  expect(sink?.kind === "sink" && sink.sink.options["path"]).toBe("/here/out/x.csv");
  expect(sourcesOf(plan)[0]?.options["paths"]).toEqual(["a.csv", "/b/*.csv", "s3://bucket/c.csv"]);
});

test("what no cluster would take is refused before anything is sent", () => {
  const good = { name: "x", plan: new Uint8Array(1), bundle: null, options: {} };
  checkSubmission(good);
  const wrong: [object, RegExp][] = [
    [{ name: "" }, /names of jobs are/],
    [{ name: "a\nb" }, /names of jobs are/],
    [{ name: "航".repeat(43) }, /names of jobs are 1 to 128 bytes/],
    [{ name: "x".repeat(129) }, /names of jobs are/],
    [{ plan: new Uint8Array((4 << 20) + 1) }, /its plan has 4.0 MiB/],
    [{ bundle: new Uint8Array((32 << 20) + 1) }, /at most 32 MiB/],
    [{ options: { params: "x".repeat(40_000) } }, /40000 characters/],
    [{ options: { parallelism: 0 } }, /parallelism 0/],
    [{ options: { priority: 1.5 } }, /priority 1.5/],
  ];
  for (const [part, message] of wrong) expect(() => checkSubmission({ ...good, ...part })).toThrow(message);
});
