/** A client that is older or newer than the cluster. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { settle } from "../../scripts/sim_settle.ts";
import type { LogFields } from "../../src/kernel/mod.ts";
import { jobList, PROTOCOL_MAX } from "../../src/protocol/mod.ts";
import { SimCluster, type SimNode } from "../../src/sim/mod.ts";
import { type Visitor, visit } from "./visitor.ts";

let cluster: SimCluster;
let visitor: Visitor;
let node: SimNode;
let refusals: LogFields[];
const SAID = "a session was refused";
const list = { limit: 10, consistency: "leader" } as const;
const newer = { min: PROTOCOL_MAX + 1, max: PROTOCOL_MAX + 2, software: "sage 9.0.0" };

beforeEach(async () => {
  cluster = new SimCluster({ seed: 22, settle });
  refusals = [];
  cluster.watch = { log: (_of, _level, event, fields) => void (event === SAID && refusals.push(fields)) };
  await cluster.grow(1);
  [node] = cluster.nodes as [SimNode];
  visitor = await visit(cluster, "visitor");
});

afterEach(() => visitor.transport.stop());

async function refusedOnce() {
  const session = await visitor.session(node, newer);
  return cluster.settled(session.call(jobList, list).catch((error: Error) => error));
}

test("a newer client is told which side to upgrade, and others are served as before", async () => {
  expect(await refusedOnce()).toMatchObject({
    code: "unknown-version",
    retryable: false,
    message: expect.stringMatching(/this side \(sage 9\.0\.0\) speaks versions 2 to 3, the other .* Upgrade the other/),
  });
  const session = await visitor.session(node);
  expect(await cluster.settled(session.call(jobList, list))).toMatchObject({ jobs: [] });
});

test("one that tries again and again has one line a minute in the node's log", async () => {
  for (let tries = 0; tries < 20; tries++) {
    await refusedOnce();
    await cluster.world.run(1_000);
  }
  expect(refusals).toMatchObject([{ code: "unknown-version", reason: expect.stringMatching(/Upgrade this side/) }]);
  await cluster.world.run(60_000);
  await refusedOnce();
  await cluster.world.run(1_000);
  expect(refusals).toHaveLength(2);
});
