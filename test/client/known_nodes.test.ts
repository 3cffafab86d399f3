import { expect, test } from "vitest";
import { settle } from "../../scripts/sim_settle.ts";
import { KNOWN_NODES_MAX, KnownNodes } from "../../src/client/known_nodes.ts";
import type { Address, PeerId } from "../../src/kernel/mod.ts";
import { openSimClient } from "../../src/sim/jobs/sim_client.ts";
import { SimCluster, type SimNode } from "../../src/sim/mod.ts";

const node = (name: string, address = name) => ({ peer: name as PeerId, addresses: [address as Address] });
const random = { next: () => 0.5 };

test("known nodes that are there stay in their order, others fill up, no more than are of use", () => {
  const nodes = new KnownNodes([node("a"), node("b"), node("c")]);
  nodes.answered(nodes.all[2] as ReturnType<typeof node>);
  const more = Array.from({ length: 40 }, (_, i) => node(`n${i}`));
  expect(nodes.learn([...more, node("a"), node("c", "c2")], random)).toBe(true);
  expect(nodes.all.slice(0, 2)).toEqual([node("c", "c2"), node("a")]);
  expect(nodes.all.length).toBe(KNOWN_NODES_MAX);
  expect(nodes.get("b" as PeerId)).toBeUndefined();
});

test("where nothing is new, or nobody is alive, the nodes stay", () => {
  const nodes = new KnownNodes([node("a"), node("b")]);
  expect(nodes.learn([node("b"), node("a")], random)).toBe(false);
  expect(nodes.learn([], random)).toBe(false);
  expect(nodes.all).toEqual([node("a"), node("b")]);
});

test("a client that is used outlives all nodes that it was told of", async () => {
  const cluster = new SimCluster({ seed: 21, settle });
  await cluster.grow(3);
  const jobs = await openSimClient(cluster, "c0");
  const old = [...cluster.nodes];
  expect(await cluster.settled(jobs.list())).toEqual([]);
  for (const name of ["n4", "n5", "n6"]) cluster.joinNew(name);
  await cluster.until(() => cluster.nodes.every(({ node: own }) => own?.phase === "ready"), 20_000, "six are ready");
  await cluster.world.run(31_000);
  expect(await cluster.settled(jobs.list())).toEqual([]);
  await cluster.world.run(1_000);
  const by = cluster.get("n6");
  for (const gone of old) await remove(cluster, gone, by);
  expect(await cluster.settled(jobs.list())).toEqual([]);
});

async function remove(cluster: SimCluster, gone: SimNode, { node: by }: SimNode): Promise<void> {
  const asked = by?.propose({ kind: "member.remove", peer: gone.peer, reason: "no longer needed" });
  if (asked === undefined) throw new TypeError("the node is down");
  await cluster.settled(asked);
  await cluster.until(() => !gone.host.isUp, 20_000, `${gone.name} has ended`);
}
