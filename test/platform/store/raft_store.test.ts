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

test("entries of a long log go bit by bit after a compaction, and a store that is opened meanwhile begins with what is left", () => {
  const path = home();
  let store = openRaftStore(path);
  const run = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => entry(from + at));
  store.save({ entries: run(1, 3_001) });
  const snapshot = (index: number) => ({
    meta: { index, term: 1, membership: { voters: [], learners: [] }, bytes: 3 },
    data: Uint8Array.of(1, 2, 3),
  });
  store.compact(2_900, snapshot(3_000));
  expect([store.load().firstIndex, store.term(2_900), store.term(2_901)]).toEqual([2_901, null, 1]);
  store.save({ entries: run(3_001, 3_011) });
  store.close();
  store = openRaftStore(path);
  const { firstIndex } = store.load();
  expect(firstIndex).toBeGreaterThan(1_000);
  expect(firstIndex).toBeLessThan(2_901);
  expect(store.entries(firstIndex, 3_011, 1e9)).toEqual(run(firstIndex, 3_011));
  store.compact(2_950, snapshot(3_010));
  for (let index = 3_011; index <= 3_200; index++) store.save({ entries: [entry(index)] });
  store.save({ entries: run(3_100, 3_102) });
  store.close();
  store = openRaftStore(path);
  expect(store.load()).toMatchObject({ firstIndex: 2_951, lastIndex: 3_101, snapshot: { index: 3_010 } });
  expect(store.entries(2_951, 3_102, 1e9)).toEqual(run(2_951, 3_102));
  store.compact(3_050, snapshot(3_101));
  store.save({ snapshot: snapshot(4_000) });
  store.save({ entries: run(4_001, 4_003) });
  store.close();
  store = openRaftStore(path);
  expect(store.load()).toMatchObject({ firstIndex: 4_001, lastIndex: 4_002, snapshot: { index: 4_000 } });
  store.close();
});
