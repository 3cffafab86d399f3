import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { Bundles } from "../../src/agent/bundles.ts";
import type { BlobHash } from "../../src/kernel/mod.ts";
import { nodeDisk } from "../../src/platform/disk.ts";
import { fullDisk } from "./support/full_disk.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-bundles-"));
afterAll(() => rmSync(directory, { recursive: true }));
const HASH = "a".repeat(64) as BlobHash;
const TEXT = "export default 1;";
const blob = async () => new TextEncoder().encode(TEXT);

test("a module is one file for all its users, and goes with the last of them", async () => {
  const at = join(directory, "one");
  const bundles = new Bundles(nodeDisk(), at, blob);
  const [first, second] = [{}, {}];
  const path = await bundles.path(HASH, first);
  expect(await bundles.path(HASH, second)).toBe(path);
  bundles.release(first);
  expect(readFileSync(path, "utf8")).toBe(TEXT);
  bundles.release(second);
  expect(readdirSync(at)).toEqual([]);
});

test("a full disk keeps no part of a module", async () => {
  const at = join(directory, "two");
  await expect(new Bundles(fullDisk(), at, blob).path(HASH, {})).rejects.toThrow("no space left");
  expect(readdirSync(at)).toEqual([]);
});
