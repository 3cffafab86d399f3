/** Damaged and hostile messages to real nodes, from those whom the nodes have let in. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { settingGet, settingSet } from "../../src/protocol/mod.ts";
import { Attacker } from "./attacker.ts";
import { type NodeProcess, startCluster, type TestCluster } from "./cluster.ts";
import { fuzzNode } from "./fuzz_node.ts";
import { type Mole, startMole } from "./mole.ts";

const seed = Number(process.env["SEED"] ?? Date.now() % 1_000_000_000);
const count = Number(process.env["CASES"] ?? 3_000);

let cluster: TestCluster;
let mole: Mole;

beforeAll(async () => {
  cluster = await startCluster();
  mole = await startMole(cluster);
});

afterAll(async () => {
  await mole?.stop();
  await cluster?.stop();
});

function node(index: number): NodeProcess {
  const found = cluster.nodes[index];
  if (found === undefined) throw new Error(`there is no node ${index}`);
  return found;
}

function residentMb({ pid }: NodeProcess): number {
  return (Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4_096) / (1 << 20);
}

async function expectServing(): Promise<void> {
  for (const one of cluster.nodes) expect(one.isRunning(), `${one.name}: ${one.err().slice(-3_000)}`).toBe(true);
  const value = String(Math.random());
  await cluster.client.call(settingSet, { key: "alive", value, expectedVersion: null });
  const read = await cluster.client.call(settingGet, { key: "alive", consistency: "leader" });
  expect(read.setting?.value).toBe(value);
}

/** What may be called and would end the test, not the node. */
const DRASTIC = ["cluster.leave", "cluster.rotateKey", "cluster.transferLeader"];

/** Whole, these make their sender the leader: a member can do that, and nodes believe their leader. */
const LEADING: ReadonlySet<string> = new Set(["raft append", "raft heartbeat", "raft snapshotChunk"]);

test(`${count} damaged posts and calls of an admitted peer leave the nodes standing (SEED=${seed})`, {
  timeout: 60_000 + 2 * count,
}, async () => {
  const before = cluster.nodes.map(residentMb);
  for (const [index, role] of (["node", "node", "node"] as const).entries()) {
    const attacker = await Attacker.start();
    const counts = await fuzzNode({
      attacker,
      address: node(index).address(),
      credential: mole.forge({ peer: attacker.peer, role }),
      seed: seed + index,
      count: Math.floor(count / 3),
      without: LEADING,
      isAllowed: (bytes) => !DRASTIC.some((name) => Buffer.from(bytes).includes(name)),
    });
    expect(counts.wholePosts.size).toBeGreaterThan(12);
    expect(counts.sessionsEnded).toBeGreaterThan(0);
    expect(counts.answerBytes).toBeGreaterThan(0);
    await attacker.stop();
    await expectServing();
  }
  for (const [index, one] of cluster.nodes.entries()) expect(residentMb(one)).toBeLessThan((before[index] ?? 0) + 200);
  for (const one of cluster.nodes) expect(one.lines().filter(({ level }) => level === "error")).toEqual([]);
});
