/** The end of an old cluster key: who must go, who stays, and who may not even notice. */
import { beforeEach, expect, test } from "vitest";
import { settle } from "../../scripts/sim_settle.ts";
import {
  certificateRenew,
  clusterRetireKeys,
  clusterRotateKey,
  clusterStatus,
  type RpcSession,
  tokenCreate,
  tokenList,
} from "../../src/protocol/mod.ts";
import { SimCluster, type SimNode } from "../../src/sim/mod.ts";
import { type Visitor, visit } from "./visitor.ts";

let cluster: SimCluster;
let nodes: [SimNode, SimNode, SimNode];
let visitor: Visitor;
let session: RpcSession;
const events: string[] = [];

beforeEach(async () => {
  cluster = new SimCluster({ seed: 51, settle });
  await cluster.grow(3);
  await cluster.world.run(2_000);
  nodes = cluster.nodes as typeof nodes;
  visitor = await visit(cluster, "visitor");
  session = await visitor.session(nodes[0]);
  events.length = 0;
  cluster.watch = { log: (node, _, event) => void events.push(`${node.name}: ${event}`) };
});

const keysAt = (node: SimNode) => node.node?.replica.state.keys.size;

async function rotate(): Promise<string> {
  const { keyId } = await cluster.settled(session.call(clusterRotateKey, {}));
  return keyId;
}

async function renewVisitor(): Promise<void> {
  visitor.certificate = (await cluster.settled(session.call(certificateRenew, {}))).certificate;
}

test("an old key ends at once when all members have renewed, and nobody who has renewed is disturbed", async () => {
  const { token } = await cluster.settled(session.call(tokenCreate, { role: "read", ttlMs: 600_000, uses: 1 }));
  expect(token).toMatch(/^sage1\./);
  const old = await visit(cluster, "old");
  const oldSession = await old.session(nodes[1]);
  await rotate();
  await renewVisitor();
  await cluster.world.run(3_000);
  const { keyIds } = await cluster.settled(session.call(clusterRetireKeys, {}));
  expect(keyIds).toHaveLength(1);
  await cluster.world.run(12_000);
  expect(nodes.map(keysAt)).toEqual([1, 1, 1]);
  expect(events.filter((event) => /sent away|suspect|dead|is leader/.test(event))).toEqual(["n2: peer sent away"]);
  expect((await cluster.settled(session.call(clusterStatus, {}))).members).toHaveLength(3);
  expect(await cluster.settled(session.call(clusterRetireKeys, {}))).toMatchObject({ keyIds: [] });

  await expect(cluster.settled(oldSession.call(clusterStatus, {}))).rejects.toThrow();
  await expect(old.session(nodes[1])).rejects.toThrow(/was retired/);
  const { tokens } = await cluster.settled(session.call(tokenList, {}));
  expect(tokens.every(({ isRevoked }) => isRevoked)).toBe(true);
});

test("an old key stays while a member holds a certificate of it, which the refusal names", async () => {
  const [, , third] = nodes;
  third.host.die();
  await rotate();
  await renewVisitor();
  await cluster.world.run(3_000);
  const asked = () => cluster.settled(session.call(clusterRetireKeys, {}));
  await expect(asked()).rejects.toThrow(/members still hold certificates of it: n3\..*sage cluster leave/s);
  expect(keysAt(nodes[0])).toBe(2);
  third.restart();
  await cluster.until(() => third.node?.phase === "ready", 10_000, "the third node is back");
  await cluster.world.run(3_000);
  expect((await asked()).keyIds).toHaveLength(1);
  expect(keysAt(nodes[0])).toBe(1);
});

test("a member whose renewed certificate did not reach it comes back all the same", async () => {
  const [, , third] = nodes;
  const leader = cluster.leader;
  cluster.watch = {
    applied: (node, { command }) => {
      const isIts = command?.kind === "certificate.renew" && command.peer === third.peer;
      if (node === leader && isIts) cluster.world.after(0, () => third.host.die());
    },
  };
  await rotate();
  await renewVisitor();
  await cluster.until(() => !third.host.isUp, 10_000, "the third node has died");
  cluster.watch = {};
  await cluster.world.run(2_000);
  await cluster.settled(session.call(clusterRetireKeys, {}));
  third.restart();
  await cluster.until(() => third.node?.phase === "ready", 10_000, "the third node is back");
  await cluster.world.run(3_000);
  expect(keysAt(third)).toBe(1);
});

test("members that were all away until their certificates had expired come back and renew them", async () => {
  const AWAY_MS = 40 * 86_400_000;
  for (const node of nodes) node.host.die();
  await cluster.world.run(1_000);
  for (const node of nodes) {
    node.host.wallOffsetMs = AWAY_MS;
    node.restart();
  }
  await cluster.until(() => nodes.every(({ node }) => node?.phase === "ready"), 20_000, "all are back");
  await cluster.world.run(5_000);
  const members = nodes[0].node?.replica.state.members.values() ?? [];
  const ends = [...members].map(({ certificate }) => certificate.expiresAtMs - AWAY_MS);
  expect(Math.min(...ends)).toBeGreaterThan(cluster.world.wallMs);
  await expect(visitor.session(nodes[0])).resolves.toBeDefined(); // a client's lasts 90 days
});
