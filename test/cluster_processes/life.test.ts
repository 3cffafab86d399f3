import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { settingGet, settingSet } from "../../src/protocol/mod.ts";
import { newCluster } from "./clusters.ts";
import { type NodeProcess, pause } from "./harness.ts";
import { Pulse } from "./pulse.ts";

test("two commands make a cluster, and the operator's own commands need no option", async () => {
  const cluster = newCluster();
  const first = cluster.node({ name: "first", listen: null });
  await first.start().ready();
  const second = cluster.node({ name: "second", listen: null });
  await second.start(...first.invitation).ready();
  await cluster.status(({ members }) => members.length === 2 && members.every(({ health }) => health === "alive"));
  const status = await cluster.sage(["cluster", "status"]);
  expect(status).toMatchObject({ code: 0, stderr: "" });
  expect(status.stdout).toMatch(/2 of 2 nodes alive/);
  expect(status.stdout).toMatch(/first +● alive/);
  expect(status.stdout).toMatch(/second +● alive/);
});

test("a restart with the same data directory is the same node, wherever it listens now", async () => {
  const cluster = newCluster();
  const first = cluster.node({ name: "first", listen: null });
  await first.start().ready();
  const second = cluster.node({ name: "second", listen: null });
  await second.start(...first.invitation).ready();
  await cluster.voters(2);
  const { peer } = second;
  const key = readFileSync(join(second.dataDir, "identity.key"), "utf8");
  await second.kill();
  await second.start().ready();
  expect(second.peer).toBe(peer);
  expect(readFileSync(join(second.dataDir, "identity.key"), "utf8")).toBe(key);
  const status = await cluster.status(({ members }) => members.every(({ health }) => health === "alive"));
  expect(status.members.map(({ name }) => name)).toEqual(["first", "second"]);
});

test("a cluster whose nodes are all started again goes on, though no port was asked for", async () => {
  const cluster = newCluster();
  const first = cluster.node({ name: "first", listen: null });
  await first.start().ready();
  const others = ["second", "third"].map((name) => cluster.node({ name, listen: null }).start(...first.invitation));
  await Promise.all(others.map((node) => node.ready()));
  await cluster.voters(3);
  const client = await cluster.client();
  await client.call(settingSet, { key: "kept", value: "yes", expectedVersion: 0 });
  await client.close();
  await Promise.all(cluster.nodes.map((node) => node.kill()));
  for (const node of cluster.nodes) node.start();
  await Promise.all(cluster.nodes.map((node) => node.ready()));
  const again = await cluster.client();
  expect((await again.call(settingGet, { key: "kept", consistency: "leader" })).setting?.value).toBe("yes");
});

test("a node that is started again says that it is ready once it has a leader, and until then what it waits for", async () => {
  const cluster = newCluster();
  const first = cluster.node({ name: "first", listen: null });
  await first.start().ready();
  const second = cluster.node({ name: "second", listen: null });
  await second.start(...first.invitation).ready();
  await cluster.voters(2);
  for (const node of [second, first]) await node.stop();
  second.start();
  await second.until(() => second.stderr.includes("This node waits for its cluster"), 60_000, "waiting");
  expect(second.stderr).toContain("so start first too");
  expect(second.stdout + second.stderr).not.toMatch(/ready|--join/);
  await first.start().ready();
  await second.ready();
});

test("SIGTERM hands leadership over first: commits have no gap", async () => {
  const cluster = newCluster();
  await cluster.found(3);
  const gaps: number[] = [];
  // The machine may be busy with something else for a moment: the best of three counts.
  for (let round = 0; round < 3; round++) {
    const leader = await cluster.leader();
    const pulse = new Pulse(await cluster.client(cluster.nodes.filter((node) => node !== leader && node.isRunning)));
    await pause(300);
    const ended = await leader.stop();
    expect(ended).toMatchObject({ code: 0 });
    await pause(500);
    gaps.push(await pulse.stop());
    expect(pulse.failures).toEqual([]);
    await leader.start().ready();
    await cluster.voters(3);
    if (Math.min(...gaps) <= 300) break;
  }
  expect(Math.min(...gaps)).toBeLessThanOrEqual(300);
});

test("a second SIGTERM ends at once", async () => {
  const cluster = newCluster();
  const [first] = (await cluster.found(2)) as [NodeProcess, NodeProcess];
  const [, second] = cluster.nodes as [NodeProcess, NodeProcess];
  second.signal("SIGSTOP"); // Nobody to hand over to: an orderly end has to wait.
  first.signal("SIGTERM");
  await first.until(() => first.log.some(({ event }) => event === "node is leaving"), 5_000, "leaving");
  const sinceMs = Date.now();
  first.signal("SIGTERM");
  expect(await first.ended()).toMatchObject({ code: 143 });
  expect(Date.now() - sinceMs).toBeLessThan(4_000);
});

test("a leader, a follower and a dead node leave, each time with a cluster that goes on", async () => {
  const cluster = newCluster();
  await cluster.found(4);
  const leader = await cluster.leader();
  const left = await cluster.sage(["cluster", "leave", leader.name, "--force"]);
  expect(left).toMatchObject({ code: 0, stderr: "" });
  expect(left.stdout).toContain(`${leader.name} has left the cluster`);
  expect(await leader.ended()).toMatchObject({ code: 0 });
  expect(leader.stderr).toContain("taken out of the cluster");

  const next = await cluster.leader();
  const [follower, dead] = cluster.nodes.filter((node) => node.isRunning && node !== next) as [
    NodeProcess,
    NodeProcess,
  ];
  expect(await cluster.sage(["cluster", "leave", follower.name, "--force"])).toMatchObject({ code: 0 });
  expect(await follower.ended()).toMatchObject({ code: 0 });

  await cluster.voters(2);
  const newcomer = cluster.node({ name: "n5" });
  const token = (await cluster.sage(["token", "create", "--role", "node"])).stdout.trim();
  await newcomer.start("--join", next.address, "--token", token).ready();
  await cluster.voters(3);
  await dead.kill();
  expect(await cluster.sage(["cluster", "leave", dead.name, "--force"])).toMatchObject({ code: 0 });
  const { members } = await cluster.status((status) => status.members.length === 2);
  expect(members.map(({ name }) => name).sort()).toEqual([next.name, "n5"].sort());

  await pause(1_500); // so long the others still listen to it
  expect((await dead.start().ended()).stderr).toMatch(/taken out of the cluster\. To join again/);
});
