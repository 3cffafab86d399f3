import { expect, test } from "vitest";
import { type ApplyResult, CHUNK_BYTES_MAX, type Command } from "../../../src/cluster/mod.ts";
import { keys, Replica, started } from "./support.ts";

const hash = (bytes: Uint8Array): never => keys.sha256(bytes) as never;

/** A store that does the effects. */
class Store {
  readonly chunks = new Map<string, Uint8Array>();
  do({ effects }: ApplyResult): void {
    for (const effect of effects) {
      if (effect.kind === "putBlob") this.chunks.set(effect.hash, effect.bytes);
      else this.chunks.delete(effect.hash);
    }
  }
}

function chunksOf(bytes: Uint8Array): Command[] {
  const commands: Command[] = [];
  for (let offset = 0; offset < bytes.length; offset += CHUNK_BYTES_MAX) {
    const part = bytes.slice(offset, offset + CHUNK_BYTES_MAX);
    commands.push({ kind: "blob.chunk", hash: hash(bytes), blobBytes: bytes.length, offset, bytes: part });
  }
  return commands;
}

const filled = (length: number, seed: number): Uint8Array => new Uint8Array(length).map((_, i) => (i * seed) >> 3);

test("a blob of several chunks is in the store in parts that give the whole", () => {
  const replica = started();
  const store = new Store();
  const bytes = filled(2 * CHUNK_BYTES_MAX + 5, 7);
  for (const command of chunksOf(bytes)) store.do(replica.propose(command));
  expect(replica.try({ kind: "blob.commit", hash: hash(bytes) })).toBe("ok");
  const blob = replica.state.blobs.get(hash(bytes));
  const parts = (blob?.chunks ?? []).map((chunk) => store.chunks.get(chunk) ?? new Uint8Array(0));
  expect(parts.map(({ length }) => length)).toEqual([CHUNK_BYTES_MAX, CHUNK_BYTES_MAX, 5]);
  expect(keys.sha256(new Uint8Array(Buffer.concat(parts)))).toBe(hash(bytes));
  expect([...replica.state.chunkHashes()].sort()).toEqual([...store.chunks.keys()].sort());
  expect(replica.state.snapshot().length).toBeLessThan(10_000);
});

test("a chunk that two blobs share stays until both are gone", () => {
  const replica = started();
  const store = new Store();
  const shared = new Uint8Array(CHUNK_BYTES_MAX);
  const one = new Uint8Array(CHUNK_BYTES_MAX + 1).fill(1, CHUNK_BYTES_MAX);
  const two = new Uint8Array(CHUNK_BYTES_MAX + 1).fill(2, CHUNK_BYTES_MAX);
  for (const bytes of [one, two]) {
    for (const command of chunksOf(bytes)) store.do(replica.propose(command));
    store.do(replica.propose({ kind: "blob.commit", hash: hash(bytes) }));
  }
  expect(store.chunks.size).toBe(3);
  store.do(replica.propose({ kind: "blob.drop", hash: hash(one) }));
  expect([...store.chunks.keys()].sort()).toEqual(
    [hash(shared), hash(Uint8Array.of(2))].sort((a: string, b: string) => (a < b ? -1 : 1)),
  );
  store.do(replica.propose({ kind: "blob.drop", hash: hash(two) }));
  expect(store.chunks.size).toBe(0);
});

test("repeated and overtaking chunks do no harm, and others are refused", () => {
  const replica = started();
  const bytes = filled(2 * CHUNK_BYTES_MAX, 3);
  const [first, second] = chunksOf(bytes) as [Command, Command];
  expect(replica.try(first)).toBe("ok");
  expect(replica.propose(first).effects).toEqual([]);
  expect(replica.try({ ...first, bytes: new Uint8Array(CHUNK_BYTES_MAX) } as Command)).toBe("conflict");
  expect(replica.try({ kind: "blob.commit", hash: hash(bytes) })).toBe("bad-blob");
  expect(replica.try({ ...second, blobBytes: bytes.length + 1 } as Command)).toBe("conflict");
  expect(replica.try(second)).toBe("ok");
  expect(replica.try({ kind: "blob.commit", hash: hash(bytes) })).toBe("ok");
  expect(replica.propose(second).effects).toEqual([]);
});

test("the upload that rested longest gives way when there are too many", () => {
  const replica = started();
  const store = new Store();
  const all = Array.from({ length: 65 }, (_, i) => new Uint8Array(CHUNK_BYTES_MAX + 1).fill(i));
  for (const bytes of all) store.do(replica.propose(chunksOf(bytes)[0] as Command));
  expect(replica.state.uploads.size).toBe(64);
  expect(replica.state.uploads.has(hash(all[0] as Uint8Array))).toBe(false);
  expect(store.chunks.size).toBe(64);
});

test("a blob is idle when no job holds it any more", () => {
  const replica = started();
  const bytes = filled(10, 3);
  for (const command of chunksOf(bytes)) replica.propose(command);
  replica.propose({ kind: "blob.commit", hash: hash(bytes) });
  const jobId = "a".repeat(32);
  const options = new Uint8Array(0);
  replica.propose({ kind: "job.create", jobId, name: "j", blobs: [hash(bytes), hash(bytes)], options });
  expect(replica.state.blobs.get(hash(bytes))?.refCount).toBe(1);
  expect(replica.state.idleBlobs(Number.MAX_SAFE_INTEGER)).toEqual([]);
  const move = { kind: "job.move", jobId, attempt: 1, reason: "" } as const;
  replica.propose({ ...move, from: "submitted", to: "cancelling" });
  replica.propose({ ...move, from: "cancelling", to: "cancelled" });
  replica.nowMs += 1_000;
  replica.propose({ kind: "job.delete", jobId });
  expect(replica.state.idleBlobs(replica.nowMs - 1)).toEqual([]);
  expect(replica.state.idleBlobs(replica.nowMs)).toEqual([hash(bytes)]);
  const copy = new Replica();
  copy.state.restore(replica.state.snapshot());
  expect(copy.state.idleBlobs(replica.nowMs)).toEqual([hash(bytes)]);
});
