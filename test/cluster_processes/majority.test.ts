import { expect, test } from "vitest";
import { settingGet, settingSet } from "../../src/protocol/mod.ts";
import { newCluster } from "./clusters.ts";
import { type NodeProcess, pause } from "./harness.ts";
import { Pulse } from "./pulse.ts";

test("a killed leader is replaced, and an entry committed, within two seconds", async () => {
  const cluster = newCluster();
  await cluster.found(3);
  const gaps: number[] = [];
  for (let round = 0; round < 3; round++) {
    const leader = await cluster.leader();
    const pulse = new Pulse(await cluster.client(cluster.nodes.filter((node) => node !== leader && node.isRunning)));
    await pause(300);
    await leader.kill();
    const committed = pulse.count;
    while (pulse.count <= committed + 5) await pause(20);
    gaps.push(await pulse.stop());
    await leader.start().ready();
    await cluster.voters(3);
    if (Math.min(...gaps) <= 2_000) break;
  }
  expect(Math.min(...gaps)).toBeLessThanOrEqual(2_000);
});

test("nodes are restarted one after the other, and no request fails", async () => {
  const cluster = newCluster();
  await cluster.found(3);
  const pulse = new Pulse(await cluster.client());
  for (const node of cluster.nodes) {
    expect(await node.stop()).toMatchObject({ code: 0 });
    await node.start().ready();
    await cluster.voters(3);
  }
  await pause(200);
  await pulse.stop();
  expect(pulse.failures).toEqual([]);
  expect(pulse.count).toBeGreaterThan(20);
});

test("a lost majority is told clearly, and recovery makes a cluster of what is left", async () => {
  const cluster = newCluster();
  await cluster.found(3);
  const client = await cluster.client();
  await client.call(settingSet, { key: "before", value: "kept", expectedVersion: 0 });
  await client.close();
  const [first, second, third] = cluster.nodes as [NodeProcess, NodeProcess, NodeProcess];
  await Promise.all([second.kill(), third.kill()]);
  const isGone = ({ health }: { readonly health: string }) => health !== "alive";
  await cluster.status(({ leader, members }) => leader === null && members.filter(isGone).length === 2);
  const status = await cluster.sage(["cluster", "status"]);
  expect(status).toMatchObject({ code: 0 });
  expect(status.stdout).toMatch(/no leader: 1 of 3 voters can be reached, 2 are needed. Start n2, n3 again; .*recover/);

  const asked = await cluster.sage(["token", "create", "--role", "submit", "--timeout", "3s"]);
  expect(asked.code).not.toBe(0);
  expect(asked.stderr).toMatch(/majority of the voters/);
  expect(asked.tookMs).toBeLessThan(15_000);

  const inUse = await cluster.sage(["cluster", "recover", "--data-dir", first.dataDir, "--accept-data-loss"]);
  expect(inUse.code).not.toBe(0);
  expect(inUse.stderr).toMatch(/in use by process \d+\. Stop that node/);
  expect((await first.stop()).code).toBe(0);

  const unsure = await cluster.sage(["cluster", "recover", "--data-dir", first.dataDir]);
  expect(unsure.code).toBe(2);
  expect(unsure.stderr).toMatch(/gone for ever[^]*--accept-data-loss/);

  const done = await cluster.sage(["cluster", "recover", "--data-dir", first.dataDir, "--accept-data-loss"]);
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(done.stdout).toMatch(/is the only voter now.*(2 voters were|given up)/s);
  await first.start().ready();
  const again = await cluster.client([first]);
  await again.call(settingSet, { key: "after", value: "works", expectedVersion: 0 });
  expect((await again.call(settingGet, { key: "before", consistency: "leader" })).setting?.value).toBe("kept");

  for (const lost of ["n2", "n3"]) {
    expect(await cluster.sage(["cluster", "leave", lost, "--force"])).toMatchObject({ code: 0 });
  }
  const newcomer = cluster.node({ name: "n4" });
  const token = (await cluster.sage(["token", "create", "--role", "node"])).stdout.trim();
  await newcomer.start("--join", first.address, "--token", token).ready();
  await cluster.voters(2);
});
