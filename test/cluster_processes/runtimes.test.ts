import { expect, test } from "vitest";
import { nodeDigest, settingSet } from "../../src/protocol/mod.ts";
import { newCluster } from "./clusters.ts";
import { commandOf, pause, type RuntimeName } from "./harness.ts";

const GUESTS: readonly (readonly [string, RuntimeName])[] = [
  ["Deno", "deno"],
  ["Node 24", "node24"],
];

for (const [name, runtime] of GUESTS) {
  test(`a node on ${name} among nodes on Bun votes, leads, and has the same state`, async (context) => {
    if (commandOf(runtime) === null) context.skip(`${name} is not here: name it with SAGE_NODE24=/path/to/node`);
    const cluster = newCluster();
    const first = cluster.node({ name: "n1" });
    await first.start().ready();
    const second = cluster.node({ name: "n2" }).start(...first.invitation);
    const guest = cluster.node({ name: "guest", runtime }).start(...first.invitation);
    await Promise.all([second.ready(), guest.ready(45_000)]);
    await cluster.voters(3);
    expect(await cluster.sage(["cluster", "transfer-leader", "guest"])).toMatchObject({ code: 0 });
    const client = await cluster.client([guest]);
    for (let count = 0; count < 50; count++) {
      await client.call(settingSet, { key: `k${count}`, value: name, expectedVersion: 0 });
    }
    expect(await guest.stop()).toMatchObject({ code: 0 });
    await guest.start().ready(45_000);
    await cluster.voters(3);
    const clients = await Promise.all(cluster.nodes.map((node) => cluster.client([node])));
    const digests = () => Promise.all(clients.map((one) => one.call(nodeDigest, {})));
    let answers = await digests();
    for (let round = 0; round < 50 && new Set(answers.map((one) => one.appliedIndex)).size > 1; round++) {
      await pause(100);
      answers = await digests();
    }
    expect(new Set(answers.map((one) => `${one.appliedIndex} ${one.digest}`)).size).toBe(1);
  });
}
