/** When a node counts as level with its leader. Its consensus is the real one; the leader's messages are written out. */
import { beforeEach, describe, expect, test } from "vitest";
import { settle } from "../../scripts/sim_settle.ts";
import { Consensus } from "../../src/cluster/mod.ts";
import { type PeerId, Timers } from "../../src/kernel/mod.ts";
import { Level } from "../../src/node/level.ts";
import { type Entry, firstChange, type Message } from "../../src/raft/mod.ts";
import { VirtualDisk } from "../../src/sim/disk/virtual_disk.ts";
import { VirtualStore } from "../../src/sim/disk/virtual_store.ts";
import { Host } from "../../src/sim/world/host.ts";
import { World } from "../../src/sim/world/world.ts";

const [SELF, LEADER, OTHER] = ["self", "leader", "other"] as [PeerId, PeerId, PeerId];

let world: World;
let consensus: Consensus;
let level: Level;

function start(voters: readonly PeerId[]): void {
  world = new World({ seed: 31, settle });
  const host = new Host(world, "host");
  host.boot();
  const store = new VirtualStore(host, new VirtualDisk());
  store.save(firstChange({ voters, learners: [] }));
  consensus = new Consensus({
    raft: { id: SELF, electionTimeoutMs: 500, heartbeatMs: 100, random: () => host.next() },
    store,
    machine: { apply: () => undefined, snapshot: () => new Uint8Array(), restore: () => undefined },
    clock: host,
    timers: new Timers(host, host),
    post: () => undefined,
    roleChanged: () => level.look(),
    membershipChanged: () => undefined,
    failed: (error) => expect(error).toBeUndefined(),
  });
  level = new Level(host, consensus);
}

/** As a node takes a message: consensus first. */
async function hear(message: Message, from: PeerId = LEADER): Promise<void> {
  if (consensus.step(from, message) === null) level.heard(from, message);
  await world.run(10);
}

const heartbeat = (commit: number, term = 2): Message => ({ kind: "heartbeat", term, commit, round: 1 });
const data = (index: number, term: number): Entry => ({ kind: "data", index, term, data: Uint8Array.of(1) });
/** Entries of its term after the one that the log begins with. */
function append(indexes: readonly number[], commit: number, term = 2): Message {
  const prevIndex = (indexes[0] ?? 2) - 1;
  const entries = indexes.map((index) => data(index, term));
  return { kind: "append", term, prevIndex, prevTerm: prevIndex === 1 ? 1 : term, entries, commit };
}

describe("a follower", () => {
  beforeEach(() => start([SELF, LEADER, OTHER]));

  test("is not level by heartbeats alone: they name no more than it is known to hold", async () => {
    for (let count = 0; count < 5; count++) await hear(heartbeat(1));
    expect(consensus.status()).toMatchObject({ leader: LEADER, applied: 1, commit: 1 });
    expect(level.atMs).toBeNull();
  });

  test("is level once it has applied what its leader told to be committed, and not before", async () => {
    await hear(append([2, 3], 5));
    await hear(heartbeat(3));
    expect(consensus.status()).toMatchObject({ applied: 3, commit: 3 });
    expect(level.atMs).toBeNull();
    await hear(append([4, 5], 5));
    await hear(heartbeat(5));
    expect(level.atMs).not.toBeNull();
  });

  test("stays level by heartbeats, and falls behind when an append tells of more", async () => {
    await hear(append([2], 2));
    await hear(heartbeat(2));
    const firstMs = level.atMs;
    await hear(heartbeat(2));
    expect(level.atMs).toBeGreaterThan(firstMs as number);
    await hear(append([3], 9));
    const lastMs = level.atMs;
    await hear(heartbeat(3));
    expect(level.atMs).toBe(lastMs);
  });

  test("does not go back when an older append of the term comes late", async () => {
    await hear(append([2, 3], 9));
    await hear(append([2], 2));
    await hear(heartbeat(3));
    expect(level.atMs).toBeNull();
  });

  test("waits for a new leader to tell how much there is", async () => {
    await hear(append([2], 2));
    await hear(heartbeat(2));
    const before = level.atMs;
    await hear(heartbeat(2, 3), OTHER);
    expect(consensus.status()).toMatchObject({ leader: OTHER, term: 3 });
    expect(level.atMs).toBe(before);
    await hear({ kind: "append", term: 3, prevIndex: 2, prevTerm: 2, entries: [data(3, 3)], commit: 3 }, OTHER);
    await hear(heartbeat(3, 3), OTHER);
    expect(level.atMs).toBeGreaterThan(before as number);
  });

  test("takes no word for it from one that does not lead", async () => {
    await hear(append([2], 9));
    await hear({ ...append([2], 2), term: 1 } as Message, OTHER);
    await hear({ kind: "appendResponse", term: 2, index: 2, isRejected: false, hintIndex: 0, hintTerm: 0 }, OTHER);
    expect(level.atMs).toBeNull();
  });
});

test("a leader is level when an entry of its own term is applied", async () => {
  start([SELF]);
  level.look();
  expect(level.atMs).toBeNull();
  await world.run(3_000);
  expect(consensus.status()).toMatchObject({ role: "leader" });
  level.look();
  expect(level.atMs).not.toBeNull();
});
