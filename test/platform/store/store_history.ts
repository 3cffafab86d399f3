import { copyFileSync, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type BlobHash, type PeerId, StoreError } from "../../../src/kernel/mod.ts";
import type { DataEntry, Membership, RaftStore } from "../../../src/raft/mod.ts";

/** A small random sequence that a seed repeats. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export function entry(index: number, term = 1, bytes = 200): DataEntry {
  return { kind: "data", index, term, data: new Uint8Array(bytes).fill((index * 7 + term) & 255) };
}

const membership: Membership = { voters: ["a" as PeerId, "b" as PeerId], learners: ["c" as PeerId] };

/** What a node writes in its life: terms, conflicts, compaction, blobs. */
export function live(store: RaftStore): void {
  store.save({
    hardState: { term: 1, vote: "a" as PeerId, commit: 0 },
    entries: [{ kind: "noop", index: 1, term: 1 }],
  });
  store.save({ entries: [{ kind: "membership", index: 2, term: 1, membership }] });
  for (let index = 3; index < 40; index++) store.save({ entries: [entry(index)] });
  store.putBlob("aa".repeat(32) as BlobHash, new Uint8Array(30_000).fill(3));
  store.save({
    hardState: { term: 2, vote: null, commit: 20 },
    entries: [entry(30, 2), entry(31, 2), entry(32, 2, 9000)],
  });
  store.putBlob("bb".repeat(32) as BlobHash, new Uint8Array(100).fill(4));
  store.compact(10, { meta: { index: 20, term: 1, membership, bytes: 5000 }, data: new Uint8Array(5000).fill(9) });
  store.dropBlob("bb".repeat(32) as BlobHash);
  for (let index = 33; index < 45; index++) {
    store.save({ hardState: { term: 2, vote: null, commit: index - 1 }, entries: [entry(index, 2)] });
  }
}

/** All that a store holds, as text to compare. */
export function contents(store: RaftStore): string {
  const state = store.load();
  const log = state.firstIndex <= state.lastIndex ? store.entries(state.firstIndex, state.lastIndex + 1, 1e9) : [];
  const hex = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString("hex");
  return JSON.stringify({
    state,
    log: log.map((each) => (each.kind === "data" ? { ...each, data: hex(each.data) } : each)),
    terms: log.map(({ index }) => store.term(index)),
    snapshot: state.snapshot && hex(store.snapshotBytes(0, state.snapshot.bytes)),
    blobs: store
      .blobHashes()
      .sort()
      .map((hash) => [hash, hex(store.blob(hash))]),
  });
}

/** The store's error, which must be one: anything else is a bug. */
export function refusal(work: () => unknown): StoreError | null {
  try {
    work();
    return null;
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
}

/** The files of a store as a crash would leave them at this moment. */
export function copyFiles(from: string, to: string): void {
  if (!existsSync(to)) mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) copyFileSync(join(from, name), join(to, name));
}
