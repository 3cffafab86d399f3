import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeJobDirectory } from "../../src/platform/job_directory.ts";

const parent = mkdtempSync(join(tmpdir(), "sage-directories-"));
afterAll(() => rmSync(parent, { recursive: true }));

const make = (name: string, ageMs: number) => {
  mkdirSync(join(parent, name, "sub"), { recursive: true });
  const seconds = (Date.now() - ageMs) / 1_000;
  utimesSync(join(parent, name), seconds, seconds);
};

test("what a process that is gone has left for long is removed, and nothing else", () => {
  const gone = 2 ** 30; // more than any system gives
  const day = 86_400_000;
  make(`sage-job-${gone}-old`, day);
  make(`sage-job-${gone}-new`, 1_000);
  make(`sage-job-${process.pid}-own`, day);
  make("sage-job-other", day);
  make("other", day);
  const made = basename(makeJobDirectory(parent));
  expect(made).toMatch(new RegExp(`^sage-job-${process.pid}-`));
  expect(readdirSync(parent).sort()).toEqual(
    [made, `sage-job-${gone}-new`, `sage-job-${process.pid}-own`, "sage-job-other", "other"].sort(),
  );
});
