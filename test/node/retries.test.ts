/** What becomes of a change whose answer was lost, and which is asked for again, at another node. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { settle } from "../../scripts/sim_settle.ts";
import { parseToken } from "../../src/cluster/mod.ts";
import type { BlobHash } from "../../src/kernel/mod.ts";
import {
  auditList,
  blobPut,
  certificateRevoke,
  clusterLeave,
  clusterRotateKey,
  type RpcSession,
  tokenCreate,
  tokenRevoke,
} from "../../src/protocol/mod.ts";
import { SimCluster, type SimNode } from "../../src/sim/mod.ts";
import { type Visitor, visit } from "./visitor.ts";

let cluster: SimCluster;
let visitor: Visitor;
let nodes: [SimNode, SimNode, SimNode];
let sessions: [RpcSession, RpcSession, RpcSession];
let sequence = 0;

beforeEach(async () => {
  cluster = new SimCluster({ seed: 21, settle });
  await cluster.grow(3);
  await cluster.world.run(2_000);
  nodes = cluster.nodes as typeof nodes;
  visitor = await visit(cluster, "visitor");
  sessions = (await Promise.all(nodes.map((node) => visitor.session(node)))) as typeof sessions;
});

afterEach(() => visitor.transport.stop());

const named = () => ({ session: "a-session", sequence: ++sequence, answeredTo: sequence - 1, since: 0 });
const stateOf = (node: SimNode) => {
  if (node.node === null) throw new TypeError(`${node.name} is down`);
  return node.node.replica.state;
};
const kindsOf = (kind: string) =>
  stateOf(nodes[0])
    .audit()
    .filter((entry) => entry.kind === kind);

test("a token that is asked for again is the same one, at whichever node", async () => {
  const before = stateOf(nodes[0]).tokens.size;
  const body = { role: "submit", ttlMs: 60_000, uses: 3, request: named() } as const;
  const first = await cluster.settled(sessions[0].call(tokenCreate, body));
  await cluster.world.run(1_000);
  const second = await cluster.settled(sessions[1].call(tokenCreate, body));
  expect(second).toEqual(first);
  expect(parseToken(first.token)).toMatchObject({ tokenId: first.tokenId, role: "submit", uses: 3 });
  expect(stateOf(nodes[1]).tokens.size).toBe(before + 1);
  const other = await cluster.settled(sessions[1].call(tokenCreate, { ...body, request: named() }));
  expect(other.tokenId).not.toBe(first.tokenId);
});

test("two nodes that are asked at the same time make one token", async () => {
  const before = stateOf(nodes[0]).tokens.size;
  const body = { role: "node", ttlMs: 60_000, uses: 1, request: named() } as const;
  const answers = await cluster.settled(Promise.all(sessions.map((session) => session.call(tokenCreate, body))));
  expect(new Set(answers.map(({ token }) => token)).size).toBe(1);
  expect(stateOf(nodes[0]).tokens.size).toBe(before + 1);
});

test("a cluster key is rotated once, and the answer names the key that signs", async () => {
  const request = named();
  const first = await cluster.settled(sessions[0].call(clusterRotateKey, { request }));
  const second = await cluster.settled(sessions[2].call(clusterRotateKey, { request }));
  expect(second.keyId).toBe(first.keyId);
  expect(stateOf(nodes[2]).cluster?.activeKeyId).toBe(first.keyId);
  expect(kindsOf("key.rotate")).toHaveLength(1);
});

test("a part of a blob that is sent again is answered as before, also the last one", async () => {
  const bytes = new Uint8Array(1_000).fill(7);
  const hash = cluster.keys.sha256(bytes) as BlobHash;
  const body = { hash, blobBytes: bytes.length, offset: 0, bytes, request: named() };
  const first = await cluster.settled(sessions[0].call(blobPut, body));
  const second = await cluster.settled(sessions[1].call(blobPut, body));
  expect([first, second]).toEqual([
    { nextOffset: 1_000, isComplete: true },
    { nextOffset: 1_000, isComplete: true },
  ]);
  expect(kindsOf("blob.commit")).toHaveLength(1);
});

test("a blob whose content is another one is refused, and again when its last part comes again", async () => {
  const part = new Uint8Array(256 << 10).fill(1);
  const last = new Uint8Array(10).fill(2);
  const hash = "0".repeat(64) as BlobHash;
  const blobBytes = part.length + last.length;
  const put = (session: RpcSession, offset: number, bytes: Uint8Array, request = named()) =>
    cluster.settled(session.call(blobPut, { hash, blobBytes, offset, bytes, request }));
  await put(sessions[0], 0, part);
  const request = named();
  await expect(put(sessions[0], part.length, last, request)).rejects.toThrow(/Send it anew/);
  await expect(put(sessions[1], part.length, last, request)).rejects.toThrow(/Send it anew/);
});

test("a member that was taken out is named by the second answer too, also when one node is left", async () => {
  const [one, two, three] = nodes;
  const leave = (session: RpcSession, peer: SimNode, request = named()) =>
    cluster.settled(session.call(clusterLeave, { peer: peer.peer, request }));
  await leave(sessions[0], three);
  const request = named();
  const first = await leave(sessions[0], two, request);
  await cluster.until(() => !two.host.isUp, 20_000, "the second node has ended");
  const second = await leave(sessions[0], two, request);
  expect([first.peer, second.peer]).toEqual([two.peer, two.peer]);
  await expect(leave(sessions[0], one)).rejects.toThrow(/last node/);
});

test("a revocation that comes again is answered as the first was", async () => {
  const other = await visit(cluster, "other");
  const body = { peer: other.transport.self, request: named() };
  await cluster.settled(sessions[0].call(certificateRevoke, body));
  await cluster.settled(sessions[1].call(certificateRevoke, body));
  const { token } = { token: [...stateOf(nodes[0]).tokens.keys()][0] ?? "" };
  const revoke = { tokenId: token, request: named() };
  await cluster.settled(sessions[0].call(tokenRevoke, revoke));
  await cluster.settled(sessions[2].call(tokenRevoke, revoke));
  const { entries } = await cluster.settled(sessions[1].call(auditList, {}));
  expect(entries.filter(({ kind }) => kind === "certificate.revoke")).toHaveLength(1);
  expect(entries.filter(({ kind }) => kind === "token.revoke")).toHaveLength(1);
  await other.transport.stop();
});
