import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { PeerId } from "../../../src/kernel/mod.ts";
import { openRaftStore } from "../../../src/platform/store/raft_store.ts";
import { describeStore } from "../../raft/store_conformance.ts";
import { entry, refusal } from "./store_history.ts";

const root = mkdtempSync(join(tmpdir(), "sage-store-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const home = (): string => join(mkdtempSync(join(root, "home-")), "raft.db");

describeStore("in sqlite", () => {
  const path = home();
  return { open: () => openRaftStore(path) };
});

test("a store that is open is refused to a second one", () => {
  const path = home();
  const store = openRaftStore(path);
  expect(refusal(() => openRaftStore(path))).toMatchObject({ code: "in-use", retryable: true });
  store.save({ entries: [entry(1)] });
  store.close();
  openRaftStore(path).close();
});

test("a store knows whose it is", () => {
  const path = home();
  openRaftStore(path, { owner: "one" as PeerId }).close();
  expect(refusal(() => openRaftStore(path, { owner: "two" as PeerId }))).toMatchObject({ code: "wrong-owner" });
  openRaftStore(path, { owner: "one" as PeerId }).close();
});

test("a closed store leaves the database and its count, and refuses to be used", () => {
  const path = home();
  const store = openRaftStore(path);
  store.save({ entries: [entry(1)] });
  store.close();
  store.close();
  expect(readdirSync(join(path, "..")).sort()).toEqual(["raft.db", "raft.db.ack"]);
  expect(refusal(() => store.save({ entries: [entry(2)] }))).toMatchObject({ code: "closed" });
});

test("a file that is no store is refused, and left as it is", () => {
  const path = home();
  writeFileSync(path, "these are my notes\n".repeat(300));
  expect(refusal(() => openRaftStore(path))).toMatchObject({ code: "damaged" });
  expect(readdirSync(join(path, ".."))).toEqual(["raft.db"]);
});

test("a start that broke off before the first change is taken up again", () => {
  for (const left of ["raft.db", "raft.db.ack.tmp"]) {
    const path = home();
    openRaftStore(path).close();
    rmSync(`${path}.ack`);
    if (left !== "raft.db") rmSync(path);
    writeFileSync(`${path}.ack.tmp`, "SAGE");
    openRaftStore(path).close();
    const store = openRaftStore(path);
    store.save({ entries: [entry(1)] });
    store.close();
  }
});

test("a refusal that was itself killed half-way leaves a database that is found again", () => {
  const path = home();
  const store = openRaftStore(path);
  store.save({ entries: [entry(1)] });
  store.close();
  renameSync(path, `${path}.refused`);
  const again = openRaftStore(path);
  expect(again.load().lastIndex).toBe(1);
  again.close();
});

test("a directory that cannot be written is named", () => {
  expect(refusal(() => openRaftStore(join(root, "nowhere", "raft.db")))).toMatchObject({
    code: "not-writable",
    message: expect.stringContaining("nowhere"),
  });
});

test("many changes pass several checkpoints, and all are there afterwards", () => {
  const path = home();
  const store = openRaftStore(path);
  for (let index = 1; index <= 300; index++) store.save({ entries: [entry(index, 1, 20_000)] });
  for (let index = 301; index <= 360; index++) store.save({ entries: [entry(index)] });
  store.compact(250, {
    meta: { index: 340, term: 1, membership: { voters: [], learners: [] }, bytes: 3 },
    data: Uint8Array.of(1, 2, 3),
  });
  store.close();
  const again = openRaftStore(path);
  expect(again.load()).toMatchObject({ firstIndex: 251, lastIndex: 360, snapshot: { index: 340 } });
  expect(again.entries(251, 361, 1e9)).toHaveLength(110);
  expect(again.entries(299, 361, 1e9)[0]).toEqual(entry(299, 1, 20_000));
  again.close();
});
