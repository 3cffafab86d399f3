import { afterEach, describe, expect, test } from "vitest";
import type { BlobHash, PeerId } from "../../src/kernel/mod.ts";
import type { DataEntry, Entry, Membership, RaftStore, Snapshot } from "../../src/raft/mod.ts";
import { entryBytes } from "../../src/raft/mod.ts";

/** One place where a store lives. */
export type StoreHome = {
  /** Opens what is there. Called again only after `close`, or to model a crash where the kind of store has one. */
  open(): RaftStore;
  dispose?(): void;
};

/**
 * The contract of `RaftStore`, for every implementation.
 *
 * @param home makes a new, empty home a test
 */
export function describeStore(name: string, home: () => StoreHome): void {
  describe(`the raft store ${name}`, () => {
    const homes: StoreHome[] = [];
    const fresh = (): StoreHome => {
      const made = home();
      homes.push(made);
      return made;
    };
    afterEach(() => {
      for (const made of homes.splice(0)) made.dispose?.();
    });
    describeLog(fresh);
    describeSnapshots(fresh);
    describeBlobs(fresh);
  });
}

const peer = (text: string): PeerId => text as PeerId;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const members: Membership = { voters: [peer("a"), peer("b")], learners: [peer("c")] };
const data = (index: number, term: number, text = `e${index}`): DataEntry => ({
  kind: "data",
  index,
  term,
  data: bytes(text),
});
const run = (from: number, to: number, term: number): DataEntry[] =>
  Array.from({ length: to - from + 1 }, (_, offset) => data(from + offset, term));
const snapshotAt = (index: number, term: number, text: string): Snapshot => ({
  meta: { index, term, membership: members, bytes: bytes(text).length },
  data: bytes(text),
});
const all = (store: RaftStore): Entry[] => {
  const { firstIndex, lastIndex } = store.load();
  return firstIndex > lastIndex ? [] : plain(store.entries(firstIndex, lastIndex + 1, 1e9));
};
/** Bytes may come back as a subclass or a view: compare their content. */
const plain = (entries: readonly Entry[]): Entry[] =>
  entries.map((entry) => (entry.kind === "data" ? { ...entry, data: Uint8Array.from(entry.data) } : entry));

const isSame = (one: Uint8Array, two: Uint8Array): boolean =>
  one.length === two.length && one.every((byte, at) => byte === two[at]);

function describeLog(fresh: () => StoreHome): void {
  test("a new store is empty", () => {
    const store = fresh().open();
    expect(store.load()).toEqual({ hardState: null, snapshot: null, firstIndex: 1, lastIndex: 0, memberships: [] });
    expect([store.term(0), store.term(1)]).toEqual([null, null]);
    expect(store.blobHashes()).toEqual([]);
    store.close();
  });

  test("what was saved is there after opening again, every kind of entry alike", () => {
    const place = fresh();
    const store = place.open();
    const entries: Entry[] = [
      { kind: "membership", index: 1, term: 1, membership: members },
      { kind: "noop", index: 2, term: 3 },
      data(3, 3, "x"),
      data(4, 3, ""),
      { kind: "membership", index: 5, term: 4, membership: { voters: [peer("a")], learners: [] } },
    ];
    const hardState = { term: 4, vote: peer("b"), commit: 2 };
    store.save({ hardState, entries });
    expect(all(store)).toEqual(entries);
    store.close();
    const again = place.open();
    expect(again.load()).toEqual({
      hardState,
      snapshot: null,
      firstIndex: 1,
      lastIndex: 5,
      memberships: [entries[0], entries[4]],
    });
    expect(all(again)).toEqual(entries);
    expect([0, 1, 2, 5, 6].map((index) => again.term(index))).toEqual([null, 1, 3, 4, null]);
    again.close();
  });

  test("a vote can be taken back to none by a new term, and large numbers stay exact", () => {
    const place = fresh();
    const store = place.open();
    store.save({ hardState: { term: 1, vote: peer("a"), commit: 0 } });
    store.save({ hardState: { term: 2 ** 52, vote: null, commit: 2 ** 51 + 1 } });
    store.close();
    const again = place.open();
    expect(again.load().hardState).toEqual({ term: 2 ** 52, vote: null, commit: 2 ** 51 + 1 });
    again.close();
  });

  test("an entry replaces its predecessor at that index and all that followed it", () => {
    const place = fresh();
    const store = place.open();
    store.save({ entries: [...run(1, 3, 1), { kind: "membership", index: 4, term: 1, membership: members }] });
    store.save({ entries: [data(3, 2, "new")] });
    expect(all(store)).toEqual([...run(1, 2, 1), data(3, 2, "new")]);
    expect(store.load()).toMatchObject({ firstIndex: 1, lastIndex: 3, memberships: [] });
    store.save({ entries: run(1, 1, 5) });
    store.close();
    const again = place.open();
    expect(all(again)).toEqual(run(1, 1, 5));
    expect([again.term(1), again.term(2)]).toEqual([5, null]);
    again.close();
  });

  test("reading stops at the end asked for and at the byte limit, but gives at least one entry", () => {
    const store = fresh().open();
    store.save({ entries: run(1, 10, 1) });
    const size = entryBytes(data(1, 1));
    const indexes = (from: number, to: number, max: number): number[] =>
      store.entries(from, to, max).map((entry) => entry.index);
    expect(indexes(2, 5, 1e9)).toEqual([2, 3, 4]);
    expect(indexes(2, 11, 3 * size)).toEqual([2, 3, 4]);
    expect(indexes(2, 11, 3 * size - 1)).toEqual([2, 3]);
    expect(indexes(10, 11, 0)).toEqual([10]);
    store.close();
  });

  test("a thousand entries and a large one come back as they were", () => {
    const store = fresh().open();
    const large: DataEntry = {
      kind: "data",
      index: 1001,
      term: 2,
      data: new Uint8Array(400_000).map((_, at) => at % 251),
    };
    store.save({ entries: [...run(1, 1000, 1), large] });
    expect(store.entries(1001, 1002, 1)[0]).toMatchObject({ index: 1001, term: 2 });
    expect(store.entries(1, 1001, 1e9)).toHaveLength(1000);
    const read = store.entries(1001, 1002, 1)[0];
    expect(read?.kind === "data" && isSame(read.data, large.data)).toBe(true);
    store.close();
  });
}

function describeSnapshots(fresh: () => StoreHome): void {
  test("compaction drops the front of the log and keeps the term at the snapshot", () => {
    const place = fresh();
    const store = place.open();
    store.save({ hardState: { term: 2, vote: null, commit: 8 }, entries: [...run(1, 5, 1), ...run(6, 10, 2)] });
    store.compact(8, snapshotAt(8, 2, "state at 8"));
    const check = (one: RaftStore): void => {
      expect(one.load()).toMatchObject({ firstIndex: 9, lastIndex: 10, hardState: { term: 2, commit: 8 } });
      expect(one.load().snapshot).toEqual(snapshotAt(8, 2, "state at 8").meta);
      expect([7, 8, 9].map((index) => one.term(index))).toEqual([null, 2, 2]);
      expect(all(one)).toEqual(run(9, 10, 2));
    };
    check(store);
    store.close();
    const again = place.open();
    check(again);
    again.close();
  });

  test("compaction can keep entries that the snapshot covers", () => {
    const place = fresh();
    const store = place.open();
    store.save({ entries: [{ kind: "membership", index: 1, term: 1, membership: members }, ...run(2, 10, 1)] });
    store.compact(4, snapshotAt(9, 1, "nine"));
    expect(store.load()).toMatchObject({ firstIndex: 5, lastIndex: 10, memberships: [] });
    expect([4, 5, 9].map((index) => store.term(index))).toEqual([null, 1, 1]);
    store.compact(0, snapshotAt(10, 1, "ten"));
    store.close();
    const again = place.open();
    expect(again.load()).toMatchObject({ firstIndex: 5, lastIndex: 10, snapshot: { index: 10 } });
    again.save({ entries: run(11, 11, 1) });
    again.compact(11, snapshotAt(11, 1, "eleven"));
    expect(again.load()).toMatchObject({ firstIndex: 12, lastIndex: 11 });
    expect(again.term(11)).toBe(1);
    again.close();
  });

  test("an installed snapshot replaces the whole log, and entries go on after it", () => {
    const place = fresh();
    const store = place.open();
    store.save({ entries: run(1, 5, 1) });
    store.save({ snapshot: snapshotAt(20, 3, "twenty"), hardState: { term: 3, vote: null, commit: 20 } });
    expect(store.load()).toMatchObject({ firstIndex: 21, lastIndex: 20, memberships: [] });
    expect([5, 20].map((index) => store.term(index))).toEqual([null, 3]);
    store.save({ snapshot: snapshotAt(30, 3, "thirty"), entries: run(31, 32, 4) });
    store.close();
    const again = place.open();
    expect(again.load()).toMatchObject({ firstIndex: 31, lastIndex: 32, snapshot: { index: 30, term: 3 } });
    expect(all(again)).toEqual(run(31, 32, 4));
    again.close();
  });

  test("a snapshot is read in pieces, and a large or an empty one as well", () => {
    const place = fresh();
    const store = place.open();
    store.save({ entries: run(1, 3, 1) });
    store.compact(1, snapshotAt(1, 1, "abcdefghij"));
    const read = (one: RaftStore, offset: number, max: number): string =>
      new TextDecoder().decode(one.snapshotBytes(offset, max));
    expect([read(store, 0, 4), read(store, 4, 4), read(store, 8, 4), read(store, 10, 4)]).toEqual([
      "abcd",
      "efgh",
      "ij",
      "",
    ]);
    const big = new Uint8Array(3_000_000).map((_, at) => at % 253);
    store.compact(2, { meta: { ...snapshotAt(2, 1, "").meta, bytes: big.length }, data: big });
    store.close();
    const again = place.open();
    expect(isSame(again.snapshotBytes(2_999_990, 100), big.slice(2_999_990))).toBe(true);
    expect(isSame(again.snapshotBytes(0, 3_000_000), big)).toBe(true);
    again.compact(3, snapshotAt(3, 1, ""));
    expect(read(again, 0, 10)).toBe("");
    again.close();
  });
}

function describeBlobs(fresh: () => StoreHome): void {
  test("blobs stay until they are dropped, whatever becomes of the log", () => {
    const place = fresh();
    const store = place.open();
    const [one, two] = ["1".repeat(64), "2".repeat(64)] as [BlobHash, BlobHash];
    store.putBlob(one, bytes("one"));
    store.putBlob(one, bytes("one"));
    store.putBlob(two, new Uint8Array(0));
    store.save({ snapshot: snapshotAt(5, 1, "s") });
    store.close();
    const again = place.open();
    expect(again.blobHashes().sort()).toEqual([one, two]);
    expect(Uint8Array.from(again.blob(one) ?? [])).toEqual(bytes("one"));
    expect(again.blob(two)?.length).toBe(0);
    again.dropBlob(one);
    again.dropBlob(one);
    expect(again.blob(one)).toBeNull();
    expect(again.blobHashes()).toEqual([two]);
    again.close();
  });
}
