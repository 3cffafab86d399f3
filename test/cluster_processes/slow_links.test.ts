import { expect, onTestFinished, test } from "vitest";
import { newCluster } from "./clusters.ts";
import { pause } from "./harness.ts";
import { Relay } from "./relay.ts";
import { Workload } from "./workload.ts";

const DELAY_MS = 200;

test("with 200 ms on every way the leader stays, and commits go on", async () => {
  const cluster = newCluster();
  const relays: Relay[] = [];
  const names = ["n1", "n2", "n3"];
  for (const name of names) {
    const node = cluster.node({ name });
    const { host, port } = node.listen;
    const relay = await Relay.open({ host, port: port + 1 }, { host, port });
    relays.push(relay);
    onTestFinished(() => relay.close());
    node.start(
      "--announce",
      `${host}:${port + 1}`,
      ...(cluster.nodes[0] === node ? [] : (cluster.nodes[0]?.invitation ?? [])),
    );
    await node.ready();
  }
  await cluster.voters(3);
  const { term } = await cluster.status(({ members }) => members.every(({ health }) => health === "alive"));
  const clients = await Promise.all([0, 1, 2, 3].map(() => cluster.client()));
  for (const relay of relays) relay.delayMs = DELAY_MS;
  const workload = new Workload({ seed: 1, clients, keys: 4, thinkMs: 10 });
  await pause(8_000);
  await workload.stop();
  for (const relay of relays) relay.delayMs = 0;
  await workload.check(await cluster.client());
  expect(workload.violations).toEqual([]);
  expect(workload.stats.unanswered).toBe(0);
  expect(workload.stats.answered).toBeGreaterThan(15);
  expect((await cluster.status()).term).toBe(term);
});
