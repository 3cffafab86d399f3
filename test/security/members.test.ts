/** Whose right ends, what a member that has turned can do, and what must never be seen. */
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Credentials } from "../../src/cluster/mod.ts";
import type { PeerId } from "../../src/kernel/mod.ts";
import { login, openClient } from "../../src/platform/mod.ts";
import {
  auditList,
  certificateRevoke,
  clusterLeave,
  clusterStatus,
  encodeMemberRecord,
  type GossipMessage,
  type Post,
  PostCodec,
  settingSet,
  tokenCreate,
  tokenList,
  watch,
} from "../../src/protocol/mod.ts";
import type { Message } from "../../src/raft/mod.ts";
import { keys, type NodeProcess, startCluster, type TestCluster, until } from "./cluster.ts";
import { type Mole, startMole } from "./mole.ts";

let cluster: TestCluster;
let mole: Mole;
const codec = new PostCodec({ min: 1, max: 1, software: "sage mole" });

beforeAll(async () => {
  cluster = await startCluster();
  mole = await startMole(cluster);
});

afterAll(async () => {
  await mole?.stop();
  await cluster?.stop();
});

function post(to: NodeProcess, message: Post): void {
  mole.host.ports.transport.post(to.peer(), codec.encode(message));
}

async function loggedIn(role: "read" | "submit" | "admin", uses = 1): Promise<Credentials> {
  const { token } = await cluster.client.call(tokenCreate, { role, ttlMs: 600_000, uses });
  const addresses = cluster.nodes.map((node) => node.address());
  return login({ addresses, token }, { name: `a ${role}`, software: "test" });
}

async function expectServing(): Promise<void> {
  for (const node of cluster.nodes) expect(node.isRunning(), `${node.name}: ${node.err().slice(-2_000)}`).toBe(true);
  await cluster.client.call(settingSet, { key: "alive", value: "yes", expectedVersion: null });
}

test("a client whose certificate is revoked is sent away at once by every node, and cannot come back", async () => {
  const credentials = await loggedIn("admin");
  const peer = keys.peerOf(credentials.key.publicKey);
  const connections = await Promise.all(
    cluster.nodes.map(async (node) => {
      const client = await openClient({ credentials, addresses: [node.address()], software: "test" });
      const ended = (async () => {
        for await (const _ of client.stream(watch, {})) if (_.kind === "missed") break;
      })().then(
        () => "ended",
        () => "broken",
      );
      await client.call(clusterStatus, {});
      return { client, ended };
    }),
  );
  const startMs = performance.now();
  await cluster.client.call(certificateRevoke, { peer });
  expect(await Promise.all(connections.map(({ ended }) => ended))).toEqual(["broken", "broken", "broken"]);
  expect(performance.now() - startMs).toBeLessThan(10_000);
  for (const node of cluster.nodes) {
    await until(() => node.lines().some((line) => line.peer === peer && line.event === "peer sent away"));
  }
  for (const { client } of connections) {
    await expect(client.call(clusterStatus, {}, { timeoutMs: 2_000 })).rejects.toThrow(/refused|revoked/);
    await client.close();
  }
  await expectServing();
});

test("a node is no client: its certificate ends by taking it out", async () => {
  const [first] = cluster.nodes;
  await expect(cluster.client.call(certificateRevoke, { peer: first?.peer() as PeerId })).rejects.toThrow(
    /is a node. Take it out with: sage cluster leave/,
  );
});

function forgedRecord(peer: PeerId): GossipMessage {
  const record = {
    peer,
    name: "forged",
    addresses: ["/ip4/127.0.0.1/tcp/1" as never],
    version: "9.9.9",
    protocolMin: 1,
    protocolMax: 1,
    slots: 1,
    memoryBytes: 1,
    voter: "auto" as const,
    incarnation: Number.MAX_SAFE_INTEGER,
    state: "left" as const,
  };
  const bytes = encodeMemberRecord(record);
  const signature = keys.sign(mole.host.ports.identity, bytes); // by the mole, not by its subject
  return { kind: "news", updates: { records: [{ record, bytes, signature }], verdicts: [] } };
}

test("a member cannot speak for another one: records that their subject has not signed are refused and logged", async () => {
  const [first, second] = cluster.nodes as [NodeProcess, NodeProcess];
  post(first, { kind: "gossip", message: forgedRecord(second.peer()) });
  await until(() =>
    first
      .lines()
      .some(
        (line) => line.event.includes("wrong signature") && line["from"] === mole.peer && line.peer === second.peer(),
      ),
  );
  const { members } = await cluster.client.call(clusterStatus, {});
  expect(members.find(({ peer }) => peer === second.peer())).toMatchObject({ name: "n2", health: "alive" });
});

test("messages of consensus that no honest member sends are refused, and nobody stops for them", async () => {
  const { leader, term } = await cluster.client.call(clusterStatus, {});
  const leading = cluster.nodes.find((node) => node.peer() === leader);
  const following = cluster.nodes.find((node) => node.peer() !== leader);
  if (leading === undefined || following === undefined) throw new Error("there is no leader");
  const snapshot = { index: 1e9, term, membership: { voters: [mole.peer], learners: [] }, bytes: 0 };
  const entry = { kind: "data", index: 5, term: 1, data: Uint8Array.of(1) } as const;
  const bad: readonly [NodeProcess, Message, RegExp][] = [
    [leading, { kind: "heartbeat", term, commit: 0, round: 1 }, /another leader/],
    [following, { kind: "heartbeat", term, commit: 0, round: 1 }, /another leader/],
    [following, { kind: "append", term, prevIndex: 0, prevTerm: 0, entries: [], commit: 0 }, /another leader/],
    [
      leading,
      { kind: "voteRequest", term: 2 ** 52, isPreVote: false, isTransfer: true, lastIndex: 1e9, lastTerm: 1e9 },
      /proportion/,
    ],
    [
      following,
      { kind: "append", term: 2 ** 52, prevIndex: 1, prevTerm: 1, entries: [entry], commit: 1 },
      /proportion/,
    ],
    [following, { kind: "snapshotChunk", term, snapshot, offset: 0, data: new Uint8Array() }, /empty snapshot/],
    [following, { kind: "timeoutNow", term }, /does not lead/],
    [leading, { kind: "propose", term: 0, proposal: 1, data: Uint8Array.of(255, 1) }, /format that is not in use/],
    [leading, { kind: "heartbeatResponse", term, round: 1e12 }, /not begun/],
  ];
  for (const [to, message, reason] of bad) {
    const before = to.lines().length;
    post(to, { kind: "raft", message });
    await sleep(60);
    // Ten lines of one event are written in ten seconds; the rest is counted.
    const said = to
      .lines()
      .slice(before)
      .filter(({ event }) => event === "message refused");
    if (to.lines().filter(({ event }) => event === "message refused").length < 10)
      expect(said[0]?.reason).toMatch(reason);
    await expectServing();
  }
  // Garbage that the leader can read as a command of its format is refused by the state, everywhere alike.
  post(leading, { kind: "raft", message: { kind: "propose", term: 0, proposal: 2, data: Uint8Array.of(1, 0xc1, 9) } });
  await expectServing();
  expect((await cluster.client.call(clusterStatus, {})).term).toBe(term);
});

test("a member that is taken out is sent away by all, and its credential is worth nothing any more", async () => {
  const { peer } = mole;
  await cluster.client.call(clusterLeave, { peer });
  for (const node of cluster.nodes) {
    await until(() => node.lines().some((line) => line.peer === peer && /sent away|dropped/.test(line.event)));
  }
  const { members } = await cluster.client.call(clusterStatus, {});
  expect(members.map(({ name }) => name)).toEqual(["n1", "n2", "n3"]);
  await expectServing();
});

test("keys and tokens are in no log, status, list or audit, and files are their user's alone", async () => {
  const { token, tokenId } = await cluster.client.call(tokenCreate, { role: "read", ttlMs: 600_000, uses: 3 });
  const seen = JSON.stringify([
    await cluster.client.call(clusterStatus, {}),
    await cluster.client.call(tokenList, {}),
    await cluster.client.call(auditList, {}),
    cluster.nodes.map((node) => node.err()),
  ]);
  expect(seen).toContain(tokenId);
  const secrets = [token, cluster.joinToken, token.slice(-40), cluster.joinToken.slice(-40)];
  for (const key of [mole.clusterKey.privateKey, cluster.admin.key.privateKey]) {
    const bytes = Buffer.from(key);
    secrets.push(bytes.toString("hex"), bytes.toString("base64"), bytes.toString("base64url"), bytes.join(","));
  }
  for (const secret of secrets) expect(seen.includes(secret)).toBe(false);
  const isOpen = (path: string) => (statSync(path).mode & 0o077) !== 0;
  for (const node of cluster.nodes) {
    const names = readdirSync(node.dataDir).filter((name) => !name.startsWith("lock"));
    expect(names).toContain("raft.db");
    expect([node.dataDir, ...names.map((name) => join(node.dataDir, name))].filter(isOpen)).toEqual([]);
  }
  const config = join(cluster.dir, "config", "sage");
  expect([config, join(config, "credentials.json")].filter(isOpen)).toEqual([]);
  // Nodes 2 and 3 had the token from SAGE_TOKEN: nobody sees it in the list of processes.
  const commandLines = execFileSync("ps", ["-eo", "args"]).toString();
  expect(commandLines).toContain(cluster.nodes[1]?.dataDir);
  expect(commandLines).not.toContain(cluster.joinToken);
});
