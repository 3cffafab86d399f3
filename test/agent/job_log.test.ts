import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { JOB_LOG_LIMITS, JobLog } from "../../src/agent/job_log.ts";
import { withLogMark } from "../../src/kernel/mod.ts";
import { nodeDisk } from "../../src/platform/disk.ts";
import { ManualClock } from "../support/loopback.ts";
import { fullDisk } from "./support/full_disk.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-job-log-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const never = new AbortController().signal;
let count = 0;

function made(limits: Partial<typeof JOB_LOG_LIMITS> = {}, disk = nodeDisk()) {
  const clock = new ManualClock();
  const path = join(directory, `log${count++}`);
  return { clock, log: new JobLog({ clock, disk }, path, { ...JOB_LOG_LIMITS, ...limits }) };
}

async function lines(log: JobLog): Promise<string[]> {
  const found: string[] = [];
  for await (const { stream, text } of log.read({ follow: false, signal: never })) found.push(`${stream} ${text}`);
  return found;
}

const bytes = (text: string) => new TextEncoder().encode(text);

test("lines are put together from pieces, also within a character, each stream by itself", async () => {
  const { log } = made();
  const euro = bytes("10 €\n");
  log.write("out", euro.subarray(0, 4));
  log.write("err", bytes("oh\r\nno"));
  log.write("out", euro.subarray(4));
  log.end();
  expect(await lines(log)).toEqual(["err oh", "out 10 €", "err no"]);
});

test("lines that tasks have marked are told with the task, and without its mark", async () => {
  const { log } = made();
  const mark = { task: "2.13", attempt: 1_048_587 };
  log.write("out", bytes(`${withLogMark(mark, "one\ntwo")}\nplain\n\u0002not a mark\u0003\n`));
  log.write("err", bytes(`begun ${withLogMark(mark, "three")}\n`));
  log.end();
  const found: unknown[] = [];
  for await (const { task, attempt, text } of log.read({ follow: false, signal: never }))
    found.push([task, attempt, text]);
  expect(found).toEqual([
    ["2.13", 1_048_587, "one"],
    ["2.13", 1_048_587, "two"],
    [null, undefined, "plain"],
    [null, undefined, "\u0002not a mark\u0003"],
    ["2.13", 1_048_587, "begun three"],
  ]);
});

test("a long line is cut", async () => {
  const { log } = made({ lineBytesMax: 10 });
  log.write("out", bytes(`${"x".repeat(25)}\nnext\n`));
  expect(await lines(log)).toEqual([`out ${"x".repeat(10)} [cut]`, "out next"]);
});

test("older lines go to files, and the oldest files go; what is read is in order and without gaps", async () => {
  const { log } = made({ memoryBytesMax: 20_000, fileBytesMax: 10_000, filesMax: 3 });
  const all = Array.from({ length: 1_000 }, (_, i) => `line ${i}`);
  for (const line of all) log.write("out", bytes(`${line}\n`));
  const found = (await lines(log)).map((line) => line.slice(4));
  expect(found).toEqual(all.slice(-found.length));
  expect(found.length).toBeGreaterThan(500);
  expect(found.length).toBeLessThan(1_000);
  expect(log.memoryBytes).toBeLessThanOrEqual(20_000);
  log.remove();
  expect(await lines(log)).toEqual([]);
});

test("a gigabyte at once costs no memory and little time, and says what was dropped", async () => {
  const { clock, log } = made();
  const chunk = bytes(`${"y".repeat(99)}\n`.repeat(640));
  for (let written = 0; written < 1 << 30; written += chunk.length) {
    log.write("out", chunk);
    clock.advance(0.05);
  }
  log.end();
  const found = await lines(log);
  const dropped = found.flatMap((line) => /\[(\d+) bytes dropped/.exec(line)?.[1] ?? []).map(Number);
  const kept = found.filter((line) => line.startsWith("out")).length * 100;
  expect(dropped.reduce((sum, each) => sum + each, 0) + kept).toBeGreaterThanOrEqual(1 << 30);
  expect(log.memoryBytes).toBeLessThanOrEqual(64 << 10);
  const onDisk = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  expect(onDisk).toBeLessThan(20 << 20);
});

test("who follows gets what comes, until the job has ended", async () => {
  const { log } = made();
  log.write("out", bytes("one\n"));
  const found: string[] = [];
  const following = (async () => {
    for await (const { text } of log.read({ follow: true, signal: never })) found.push(text);
  })();
  await Promise.resolve();
  log.write("out", bytes("two\nthr"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(found).toEqual(["one", "two"]);
  log.write("out", bytes("ee\n"));
  log.end();
  await following;
  expect(found).toEqual(["one", "two", "three"]);
});

test("a full disk costs the older lines, and keeps no part of them", async () => {
  const { log } = made({ memoryBytesMax: 300 }, fullDisk());
  const before = readdirSync(directory);
  for (let line = 0; line < 50; line++) log.write("out", bytes(`line ${line}\n`));
  log.write("out", bytes("newest\n"));
  log.end();
  const left = await lines(log);
  expect(left.length).toBeLessThan(50);
  expect(left.at(-1)).toBe("out newest");
  expect(readdirSync(directory)).toEqual(before);
});
