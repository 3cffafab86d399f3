import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { SinkJournal } from "../../src/agent/sink_journal.ts";
import { nodeDisk } from "../../src/platform/disk.ts";
import { fullDisk } from "./support/full_disk.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-journal-"));
afterAll(() => rmSync(directory, { recursive: true }));
const JOB = "a".repeat(32);
const OTHER = "b".repeat(32);
const journalAt = (name: string): SinkJournal =>
  new SinkJournal({ disk: nodeDisk(), log: { write: () => undefined } }, join(directory, name));

test("what was noted is there for the next agent, until nothing of the job is left", () => {
  const first = journalAt("one");
  first.load();
  first.note({ jobId: JOB, jobAttempt: 1, sinkPaths: ["/a.csv"] });
  first.note({ jobId: JOB, jobAttempt: 2, sinkPaths: ["/b.csv"] });
  first.note({ jobId: OTHER, jobAttempt: 1, sinkPaths: [] });
  const second = journalAt("one");
  second.load();
  expect(second.jobs).toEqual([{ jobId: JOB, jobAttempt: 2, sinkPaths: ["/a.csv", "/b.csv"] }]);
  second.forget(JOB, 1);
  expect(second.pathsOf(JOB)).toEqual(["/a.csv", "/b.csv"]);
  second.forget(JOB, 2);
  expect(second.jobs).toEqual([]);
  expect(readdirSync(directory)).not.toContain("one");
});

test("a file that was not written to its end counts as none", () => {
  journalAt("two").note({ jobId: JOB, jobAttempt: 1, sinkPaths: ["/a.csv"] });
  writeFileSync(join(directory, "two", `${OTHER}.json`), '{"jobId":"bbb');
  writeFileSync(join(directory, "two", "x.json"), '{"jobId":"../../x","jobAttempt":1,"sinkPaths":[]}');
  const again = journalAt("two");
  again.load();
  expect(again.jobs.map(({ jobId }) => jobId)).toEqual([JOB]);
});

test("a directory that takes nothing costs the notes, not the job", () => {
  writeFileSync(join(directory, "three"), "a file");
  const journal = journalAt("three");
  journal.load();
  journal.note({ jobId: JOB, jobAttempt: 1, sinkPaths: ["/a.csv"] });
  expect(journal.pathsOf(JOB)).toEqual(["/a.csv"]);
});

test("what a full disk cut off is not left there, by this agent or an earlier one", () => {
  const at = join(directory, "four");
  new SinkJournal({ disk: fullDisk(), log: { write: () => undefined } }, at).note({
    jobId: JOB,
    jobAttempt: 1,
    sinkPaths: ["/a.csv"],
  });
  expect(readdirSync(at)).toEqual([]);
  writeFileSync(join(at, `${JOB}.json.new`), '{"jobId":"aaa');
  writeFileSync(join(at, `${OTHER}.json`), "{");
  journalAt("four").load();
  expect(readdirSync(at)).toEqual([]);
});
