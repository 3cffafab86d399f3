import { expect, test } from "vitest";
import { ClusterState, type Command, encodeCommand, JOB_STATES, StateError } from "../../../src/cluster/mod.ts";
import type { Address } from "../../../src/kernel/mod.ts";
import { actor, clusterKey, createCluster, keys, member, peerOf, START_MS, sha256 } from "./support.ts";

/** Numbers from a seed (mulberry32). */
function chance(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const newKeys = [1, 2, 3].map(() => keys.create());
const contents = [1, 2, 3, 4].map((byte) => new Uint8Array(byte * 10).fill(byte));

/** Any command over a few names, so that they meet. */
function command(pick: (below: number) => number, atMs: number): Command {
  const name = `n${pick(5)}`;
  const peer = peerOf(`peer-${name}`);
  const tokenId = String(pick(6)).repeat(16);
  const jobId = String(pick(6)).repeat(32);
  const key = `k${pick(20)}`;
  const bytes = contents[pick(4)] as Uint8Array;
  const hash = keys.sha256(bytes) as never;
  const pair = newKeys[pick(3)] as (typeof newKeys)[number];
  const keyId = keys.sha256(pair.publicKey).slice(0, 32);
  const state = (): (typeof JOB_STATES)[number] => JOB_STATES[pick(JOB_STATES.length)] ?? "running";
  const info = member(name, { addresses: [`/ip4/10.0.0.${pick(9)}` as Address], slots: pick(9) });
  const roles = ["node", "admin", "submit", "read"] as const;
  const all: readonly (() => Command)[] = [
    () => createCluster,
    () => ({ kind: "cluster.upgrade", format: 1 + pick(2) }),
    () => ({ kind: "member.admit", tokenId: pick(2) === 0 ? null : tokenId, member: info }),
    () => ({ kind: "member.update", member: info }),
    () => ({ kind: "member.remove", peer, reason: "test" }),
    () => ({
      kind: "token.create",
      tokenId,
      role: roles[pick(4)] ?? "read",
      expiresAtMs: atMs + pick(60_000),
      uses: 1 + pick(3),
      keyId: pick(2) === 0 ? clusterKey.keyId : keyId,
    }),
    () => ({ kind: "token.use", tokenId, peer: peerOf(`client-${pick(4)}`), name: `client-${pick(4)}` }),
    () => ({ kind: "token.revoke", tokenId }),
    () => ({ kind: "key.rotate", keyId, publicKey: pair.publicKey, privateKey: pair.privateKey }),
    () => ({ kind: "key.retire", keyId, isForced: pick(2) === 0 }),
    () => ({ kind: "certificate.renew", peer }),
    () => ({ kind: "certificate.revoke", peer, serial: pick(2) === 0 ? null : 1 + pick(30), reason: "" }),
    () => ({ kind: "setting.set", key, value: "v".repeat(pick(30)), expectedVersion: pick(2) === 0 ? null : pick(50) }),
    () => ({ kind: "setting.delete", key, expectedVersion: null }),
    () => ({ kind: "job.create", jobId, name: `job ${name}`, blobs: pick(2) === 0 ? [] : [hash], options: bytes }),
    () => ({ kind: "job.move", jobId, from: state(), to: state(), attempt: 1, reason: "test" }),
    () => ({ kind: "job.move", jobId, from: "submitted", to: "cancelling", attempt: 1, reason: "" }),
    () => ({ kind: "job.move", jobId, from: "cancelling", to: "cancelled", attempt: 1, reason: "" }),
    () => ({ kind: "job.delete", jobId }),
    () => ({ kind: "blob.chunk", hash, blobBytes: bytes.length, offset: 0, bytes }),
    () => ({ kind: "blob.commit", hash }),
    () => ({ kind: "blob.drop", hash }),
  ];
  return (all[pick(all.length)] ?? (all[0] as () => Command))();
}

/** A log with retries, clock jumps, several sessions, and damaged entries. */
function randomLog(seed: number, count: number): Uint8Array[] {
  const pick = chance(seed);
  const log: Uint8Array[] = [];
  let atMs = START_MS;
  for (let i = 0; i < count; i++) {
    atMs += pick(50) === 0 ? pick(200_000) - 100_000 : pick(2_000);
    const by = actor((["node", "node", "node", "admin", "submit"] as const)[pick(5)], `n${pick(3)}`);
    const sequence = 1 + Math.floor(i / 3) + pick(4);
    const request = {
      session: `session-${pick(4)}`,
      sequence,
      answeredTo: Math.max(0, sequence - 1 - pick(5)),
      since: 0,
    };
    log.push(encodeCommand({ by, atMs, request, command: i === 0 ? createCluster : command(pick, atMs) }, 1));
    if (pick(10) === 0) log.push(log[pick(log.length)] as Uint8Array);
    if (pick(30) === 0) log.push(Uint8Array.of(1, ...Array.from({ length: pick(20) }, () => pick(256))));
  }
  return log;
}

test("replicas that were restored from snapshots now and then agree with one that never was", () => {
  const firstSeed = (Date.now() % 1_000_000) * 1_000;
  console.info(`seeds ${firstSeed} to ${firstSeed + 29}`);
  const outcomes = new Map<string, number>();
  for (let seed = firstSeed; seed < firstSeed + 30; seed++) {
    const pick = chance(seed + 7);
    const steady = new ClusterState({ sha256 });
    let restored = new ClusterState({ sha256 });
    for (const [at, bytes] of randomLog(seed, 300).entries()) {
      const one = steady.apply(at + 1, bytes);
      const two = restored.apply(at + 1, Uint8Array.from(bytes));
      if (!Bun.deepEquals(one, two)) expect(two, `seed ${seed}, entry ${at + 1}`).toEqual(one);
      const name = `${one.kind} ${one.outcome.ok ? "ok" : one.outcome.code}`;
      outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
      if (pick(25) !== 0) continue;
      const snapshot = restored.snapshot();
      restored = new ClusterState({ sha256 });
      restored.restore(snapshot);
      expect(sha256(restored.snapshot()), `seed ${seed}, entry ${at + 1}`).toBe(sha256(snapshot));
      expect(restored.digest(), `seed ${seed}, entry ${at + 1}`).toBe(steady.digest());
      expect([...restored.chunkHashes()].sort()).toEqual([...steady.chunkHashes()].sort());
    }
    expect(restored.digest(), `seed ${seed}`).toBe(steady.digest());
  }
  const done = [...outcomes.keys()].filter((name) => name.endsWith(" ok"));
  expect(done.length, [...outcomes.keys()].sort().join("\n")).toBeGreaterThanOrEqual(18);
});

test("the store's blobs are the state's chunks, whatever happens", () => {
  const state = new ClusterState({ sha256 });
  const stored = new Set<string>();
  for (const [at, bytes] of randomLog(4, 1_500).entries()) {
    for (const effect of state.apply(at + 1, bytes).effects) {
      if (effect.kind === "putBlob") stored.add(effect.hash);
      else stored.delete(effect.hash);
    }
    const chunks = [...state.chunkHashes()];
    expect(stored.size === chunks.length && chunks.every((hash) => stored.has(hash)), `entry ${at + 1}`).toBe(true);
  }
});

test("a damaged snapshot is refused whole, wherever the damage is", () => {
  const state = new ClusterState({ sha256 });
  for (const [at, bytes] of randomLog(2, 40).entries()) state.apply(at + 1, bytes);
  const snapshot = state.snapshot();
  const copy = new ClusterState({ sha256 });
  const before = copy.digest();
  for (let at = 0; at < snapshot.length; at += 3) {
    const damaged = Uint8Array.from(snapshot);
    damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
    expect(() => copy.restore(damaged), `byte ${at}`).toThrow(StateError);
    expect(() => copy.restore(snapshot.subarray(0, at)), `cut at ${at}`).toThrow(StateError);
  }
  expect(copy.digest()).toBe(before);
  copy.restore(snapshot);
  expect(copy.digest()).toBe(state.digest());
});

test("a snapshot of a newer format says that this software is too old", () => {
  const snapshot = new ClusterState({ sha256 }).snapshot();
  snapshot[0] = 2;
  expect(() => new ClusterState({ sha256 }).restore(snapshot)).toThrow(/a snapshot of format 2/);
});
