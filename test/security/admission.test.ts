/** Who is let in, and what each may do, against real processes. */
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  type AdmissionError,
  askToJoin,
  type Credentials,
  createClusterKey,
  createToken,
  createTokenId,
  openGrant,
} from "../../src/cluster/mod.ts";
import type { KeyPair, PeerId } from "../../src/kernel/mod.ts";
import { openClient, systemClock, systemRandom } from "../../src/platform/mod.ts";
import { createTransport } from "../../src/platform/network/mod.ts";
import {
  clusterLeave,
  clusterRotateKey,
  clusterStatus,
  logPropose,
  settingGet,
  settingSet,
  tokenCreate,
  tokenList,
  tokenRevoke,
} from "../../src/protocol/mod.ts";
import { Attacker } from "./attacker.ts";
import { keys, type LogLine, type NodeProcess, startCluster, type TestCluster, until } from "./cluster.ts";
import { type Mole, startMole } from "./mole.ts";

let cluster: TestCluster;
let mole: Mole;
const attackers: Attacker[] = [];

beforeAll(async () => {
  cluster = await startCluster();
  mole = await startMole(cluster);
});

afterAll(async () => {
  for (const attacker of attackers) await attacker.stop();
  await mole?.stop();
  await cluster?.stop();
});

async function attacker(keyPair?: KeyPair): Promise<Attacker> {
  const one = await Attacker.start(keyPair);
  attackers.push(one);
  return one;
}

function node(index: number): NodeProcess {
  const found = cluster.nodes[index];
  if (found === undefined) throw new Error(`there is no node ${index}`);
  return found;
}

function about(peer: PeerId, at: NodeProcess): LogLine[] {
  return at.lines().filter((line) => line.peer === peer);
}

/** Exactly one line about `peer` at `at`, which says why. */
async function expectOneLine(peer: PeerId, at: NodeProcess, reason: RegExp): Promise<void> {
  await until(() => about(peer, at).length > 0, 3_000);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const lines = about(peer, at);
  expect(lines.map(({ event, reason: why }) => `${event}: ${why}`).slice(1)).toEqual([]);
  expect(lines[0]?.reason).toMatch(reason);
}

async function joinWith(token: string, options: { as?: "node" | "client"; keyPair?: KeyPair; name?: string } = {}) {
  const keyPair = options.keyPair ?? keys.create();
  const peer = keys.peerOf(keyPair.publicKey);
  const transport = createTransport({ keyPair, log: { write: () => undefined } });
  await transport.start({
    credential: () => new Uint8Array(),
    admit: () => ({ kind: "guest" }),
    connected: () => undefined,
    disconnected: () => undefined,
    posted: () => undefined,
    opened: (channel) => channel.abort("nothing is served here"),
  });
  const name = options.name ?? `x${peer.slice(-8)}`;
  const member =
    options.as === "client"
      ? null
      : { addresses: [], slots: 1, memoryBytes: 1, version: "0.1.0", voter: "no" as const };
  const invitation = { addresses: [node(0).address()], token };
  try {
    const grant = await askToJoin({ clock: systemClock, keys, transport }, invitation, { name, software: "x", member });
    return { peer, keyPair, grant, error: null };
  } catch (error) {
    return { peer, keyPair, grant: null, error: error as AdmissionError };
  } finally {
    await transport.stop();
  }
}

function credentialsOf(joined: Awaited<ReturnType<typeof joinWith>>): Credentials {
  const { grant, keyPair: key } = joined;
  if (grant === null) throw joined.error;
  const addresses = cluster.nodes.map((one) => one.address());
  return { name: "x", cluster: grant.cluster, addresses, key, certificate: grant.certificate };
}

async function made(role: "node" | "admin" | "submit" | "read", uses = 10) {
  return cluster.client.call(tokenCreate, { role, ttlMs: 3_600_000, uses });
}

test("a token of another cluster, one of a key unknown here, and one that was never made are refused", async () => {
  const foreign = createClusterKey(keys);
  const fields = {
    tokenId: createTokenId(systemRandom),
    role: "node" as const,
    expiresAtMs: Date.now() + 60_000,
    uses: 1,
  };
  const cases = [
    [createToken(keys, foreign, { ...fields, cluster: "0".repeat(32) as never }), /token is for cluster 0000/],
    [createToken(keys, foreign, { ...fields, cluster: cluster.token.cluster as never }), /key was retired/],
    [createToken(keys, mole.clusterKey, { ...fields, cluster: cluster.token.cluster as never }), /no such token/],
  ] as const;
  for (const [token, reason] of cases) {
    const { peer, error } = await joinWith(token);
    expect(error?.message).toMatch(reason);
    await expectOneLine(peer, node(0), reason);
  }
});

test("an expired, a revoked and a used-up token are refused; nobody can use what another has used", async () => {
  const { tokenId } = await made("node");
  const old = { cluster: cluster.token.cluster as never, tokenId, role: "node" as const, uses: 10 };
  const expired = await joinWith(createToken(keys, mole.clusterKey, { ...old, expiresAtMs: Date.now() - 60_000 }));
  expect(expired.error?.code).toBe("expired");
  await expectOneLine(expired.peer, node(0), /token expired 60 s ago|token expired 1 min ago/);

  const revoked = await made("node");
  await cluster.client.call(tokenRevoke, { tokenId: revoked.tokenId });
  const late = await joinWith(revoked.token);
  expect(late.error?.code).toBe("revoked");
  await expectOneLine(late.peer, node(0), /revoked/);

  const once = await made("read", 1);
  const first = await joinWith(once.token, { as: "client" });
  expect(first.error).toBe(null);
  const replayed = await joinWith(once.token, { as: "client" });
  expect(replayed.error?.code).toBe("used");
  await expectOneLine(replayed.peer, node(0), /used once, and was/);
});

test("a token that is changed in any character is refused", async () => {
  const { token } = await made("node");
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const places = [
    6,
    7,
    8,
    20,
    40,
    60,
    80,
    100,
    120,
    140,
    160,
    180,
    token.length - 60,
    token.length - 10,
    token.length - 2,
  ];
  for (const at of places) {
    const other = letters[(letters.indexOf(token[at] ?? "") + 1) % letters.length];
    const { error, grant } = await joinWith(`${token.slice(0, at)}${other}${token.slice(at + 1)}`);
    expect(grant, `place ${at}`).toBe(null);
    expect(["malformed", "tampered", "wrong-cluster", "unknown-key", "wrong-role", "used"]).toContain(error?.code);
  }
});

test("a token for clients makes no node, a token for nodes no client, and asking for more than it says is seen", async () => {
  const submit = await made("submit");
  const asNode = await joinWith(submit.token);
  expect(asNode.error?.code).toBe("wrong-role");
  await expectOneLine(asNode.peer, node(0), /the token is for the role submit/);
  const asClient = await joinWith((await made("node")).token, { as: "client" });
  expect(asClient.error?.code).toBe("wrong-role");
  const { tokenId, expiresAtMs } = submit;
  const raised = createToken(keys, mole.clusterKey, {
    cluster: cluster.token.cluster as never,
    tokenId,
    role: "admin",
    expiresAtMs,
    uses: 10,
  });
  expect((await joinWith(raised, { as: "client" })).error?.code).toBe("tampered");
});

test("a captured answer to a joiner is worthless to another peer", async () => {
  const { token } = await made("read");
  const honest = await joinWith(token, { as: "client" });
  const credentials = credentialsOf(honest);
  const thief = await attacker();
  await expect(thief.enter(node(1).address(), credentials.certificate)).rejects.toThrow(/certificate belongs to/);
  await expectOneLine(thief.peer, node(1), new RegExp(`belongs to ${honest.peer}`));
  // A joiner's own check, should the thief try to be the cluster: the answer must be signed for this very token.
  const other = await made("read");
  expect(() =>
    openGrant(keys, { token: other.token, peer: thief.peer, nowMs: Date.now() }, new Uint8Array(300)),
  ).toThrow();
});

test("a certificate of another cluster, of an unknown key, expired, of the future, or changed is refused", async () => {
  const bad = async (makeCredential: (peer: PeerId) => Uint8Array, reason: RegExp) => {
    const one = await attacker();
    const entered = one.enter(node(1).address(), makeCredential(one.peer)).then(({ outcome }) => outcome.ours);
    await expect(entered, String(reason)).rejects.toThrow(reason);
    await expectOneLine(one.peer, node(1), reason);
  };
  const hourMs = 3_600_000;
  const nowMs = Date.now();
  const role = "admin" as const;
  await bad(
    (peer) => mole.forge({ peer, role, issuedAtMs: nowMs - 2 * hourMs, expiresAtMs: nowMs - hourMs }),
    /expired/,
  );
  await bad(
    (peer) => mole.forge({ peer, role, issuedAtMs: nowMs + hourMs, expiresAtMs: nowMs + 2 * hourMs }),
    /begins in/,
  );
  const foreign = createClusterKey(keys);
  await bad((peer) => mole.forge({ peer, role }, { key: foreign }), /has no key/);
  const impostor = { ...foreign, keyId: mole.clusterKey.keyId };
  await bad((peer) => mole.forge({ peer, role }, { key: impostor }), /signature does not hold/);
  await bad((peer) => mole.forge({ peer, role }, { cluster: "0".repeat(32) }), /of cluster 0000/);
  await bad(() => crypto.getRandomValues(new Uint8Array(200)), /no certificate/);
  await bad(() => new Uint8Array(8_192), /no certificate/);
  const one = keys.create();
  const peer = keys.peerOf(one.publicKey);
  const good = mole.forge({ peer, role });
  for (let at = 0; at < good.length; at += 9) {
    const changed = good.slice();
    changed[at] = (changed[at] ?? 0) ^ 1;
    const tamperer = await attacker(one);
    const entered = tamperer.enter(node(2).address(), changed).then(({ outcome }) => outcome.ours);
    await expect(entered, `byte ${at}`).rejects.toThrow();
    await tamperer.stop();
  }
});

test("a role allows what it says and no more, and what was refused is logged", async () => {
  for (const role of ["read", "submit"] as const) {
    const joined = await joinWith((await made(role)).token, { as: "client" });
    const client = await openClient({
      credentials: credentialsOf(joined),
      addresses: [node(0).address()],
      software: "x",
    });
    await client.call(clusterStatus, {});
    const calls = [
      () => client.call(tokenCreate, { role: "admin", ttlMs: 1_000, uses: 1 }),
      () => client.call(tokenList, {}),
      () => client.call(clusterLeave, {}),
      () => client.call(clusterRotateKey, {}),
      () => client.call(settingSet, { key: "x", value: "y", expectedVersion: null }),
      () =>
        client.call(logPropose, {
          by: { peer: joined.peer, name: "x", role: "node" },
          request: { session: "abcdefgh", sequence: 1, answeredTo: 0, since: 0 },
          command: {},
        }),
    ];
    for (const call of calls) await expect(call()).rejects.toThrow(/needs the role|There is no method/);
    await client.call(settingGet, { key: "x", consistency: "stale" });
    await client.close();
    await until(
      () => about(joined.peer, node(0)).some(({ reason }) => reason?.includes(`this credential has ${role}`)),
      3_000,
    );
  }
});

test("a guest may ask to join, and nothing else; a client may not post messages of nodes", async () => {
  const guest = await attacker();
  const entered = await guest.enter(node(0).address(), new Uint8Array());
  expect(entered.outcome.ours).toBe("guest");
  const { openChannel, openPipe } = await import("./attacker.ts");
  const rpc = await openChannel(entered.connection, "/sage/rpc/1");
  await rpc.closed;
  await expectOneLine(guest.peer, node(0), /guest opens "\/sage\/rpc\/1"/);

  const clientKey = keys.create();
  const joined = await joinWith((await made("admin")).token, { as: "client", keyPair: clientKey });
  const poster = await attacker(clientKey);
  const { connection, outcome } = await poster.enter(node(1).address(), credentialsOf(joined).certificate);
  expect(outcome.ours).toBe("client");
  const pipe = await openPipe(connection, "/sage/post/1");
  pipe.receive({ data: () => undefined, closed: () => undefined });
  const { frame } = await import("../../src/platform/network/frames.ts");
  for (let i = 0; i < 5; i++) pipe.send(frame(Uint8Array.of(1, 1, 1, 0, 0x92, 0xa4, 0x72, 0x61, 0x66, 0x74, 0xc0)));
  await expectOneLine(poster.peer, node(1), /client posts/);
});

test("a name or token in a request is a text to the node, whatever is in it", async () => {
  const { token } = await made("read");
  const { error } = await joinWith(token, { as: "client", name: "evil\nname" });
  expect(error).not.toBe(null);
  expect(node(0).err()).not.toContain("evil\nname");
});
