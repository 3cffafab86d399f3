import { expect, it } from "vitest";
import { settle } from "../../scripts/sim_settle.ts";
import { SimCluster, type SimNode } from "../../src/sim/mod.ts";

async function remove(cluster: SimCluster, gone: SimNode, by: SimNode): Promise<void> {
  const { node } = by;
  if (node === null) throw new TypeError(`${by.name} is down`);
  await cluster.settled(node.propose({ kind: "member.remove", peer: gone.peer, reason: "no longer needed" }));
  await cluster.until(() => !gone.host.isUp, 20_000, `${gone.name} has ended`);
}

const votersOf = (at: SimNode) => at.node?.replica.consensus.status().membership.voters.length ?? 0;

async function set(cluster: SimCluster, at: SimNode): Promise<boolean> {
  const { node } = at;
  if (node === null) return false;
  const outcome = node.propose({ kind: "setting.set", key: "k", value: at.name, expectedVersion: null }, 5_000);
  return (await cluster.settled(outcome)).ok;
}

it("a leader that is taken out of a cluster of two hands over first, and the other goes on alone", async () => {
  const cluster = new SimCluster({ seed: 11, settle });
  await cluster.grow(2);
  const [one, two] = cluster.nodes as [SimNode, SimNode];
  await cluster.until(() => votersOf(one) === 2, 10_000, "both vote");
  await remove(cluster, one, two);
  expect(await set(cluster, two)).toBe(true);
  expect(votersOf(two)).toBe(1);
});

it("the only voter that is taken out before others vote leads until one of them can", async () => {
  // Found by the simulator: seeds 1051 and 1088.
  const cluster = new SimCluster({ seed: 12, settle });
  await cluster.grow(5);
  const [one, two] = cluster.nodes as [SimNode, SimNode];
  expect(votersOf(one)).toBe(1);
  await remove(cluster, one, two);
  expect(await set(cluster, two)).toBe(true);
});

it("three of five voters that are taken out at once do not take the majority with them", async () => {
  const cluster = new SimCluster({ seed: 13, settle });
  await cluster.grow(5);
  const [one, two, three, four, five] = cluster.nodes as [SimNode, SimNode, SimNode, SimNode, SimNode];
  await cluster.until(() => votersOf(one) === 5, 10_000, "all vote");
  await Promise.all([one, two, three].map((gone) => remove(cluster, gone, five)));
  for (const left of [four, five]) expect(await set(cluster, left)).toBe(true);
});

it("a node that starts from a snapshot knows what it knew", async () => {
  // Found by the simulator: no node with a snapshot could start again.
  const cluster = new SimCluster({ seed: 14, settle, node: { snapshots: { everyEntries: 20, keepEntries: 5 } } });
  await cluster.grow(3);
  const [one, two] = cluster.nodes as [SimNode, SimNode];
  for (let count = 0; count < 40; count++) expect(await set(cluster, one)).toBe(true);
  expect(two.disk.snapshot).not.toBeNull();
  two.host.die();
  await cluster.world.run(1_000);
  two.restart();
  await cluster.until(() => two.node?.phase === "ready", 5_000, "it is back");
  await cluster.world.run(2_000);
  expect(two.node?.replica.state.settings.get("k")?.value).toBe("n1");
});
