import { expect, test } from "vitest";
import {
  AdmissionError,
  admitJoin,
  ClusterState,
  type Command,
  encodeCommand,
  grantJoin,
  judge,
  keyIdOf,
  type MemberInfo,
  type Outcome,
  openGrant,
  type Role,
} from "../../../src/cluster/mod.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";
import { CLUSTER, key, keys, MINUTE_MS, NOW_MS, node, otherKey, thief, token } from "./support.ts";

const joiner = keys.peerOf(keys.create().publicKey);
const client = keys.peerOf(keys.create().publicKey);

function info(peer: PeerId, name: string, change: Partial<MemberInfo> = {}): MemberInfo {
  const rest = {
    addresses: ["/ip4/10.0.0.1/tcp/1" as never],
    slots: 1,
    memoryBytes: 1,
    version: "0.1.0",
    formatMax: 1,
  };
  return { peer, name, ...rest, voter: "auto", ...change };
}

/** A leader and its state. */
class Cluster {
  readonly state = new ClusterState({ sha256: (bytes) => keys.sha256(bytes) });
  #index = 0;

  constructor(clusterKey = key) {
    this.propose({
      kind: "cluster.create",
      cluster: CLUSTER,
      name: "test",
      ...clusterKey,
      member: info(node, "first"),
    });
  }

  propose(command: Command): Outcome {
    const sequence = ++this.#index;
    const request = { session: "session-1", sequence, answeredTo: 0, since: 0 };
    const by = { peer: node, name: "first", role: "node" as Role };
    return this.state.apply(sequence, encodeCommand({ by, atMs: NOW_MS, request, command }, 1)).outcome;
  }

  createToken(role: Role = "node", uses = 1): string {
    const expiresAtMs = NOW_MS + 60 * MINUTE_MS;
    const tokenId = (this.state.tokens.size + 1).toString(16).padStart(16, "0");
    const keyId = this.state.cluster?.activeKeyId ?? "";
    this.propose({ kind: "token.create", tokenId, role, expiresAtMs, uses, keyId });
    const signer = this.state.keys.get(keyId) ?? key;
    return token({ tokenId, role, uses, expiresAtMs }, signer);
  }

  /** The whole way in. */
  join(request: { token: string; peer: PeerId; name: string; isNode?: boolean; nowMs?: number }): Uint8Array {
    const { token, peer, name, isNode = true, nowMs = NOW_MS } = request;
    const decision = admitJoin(keys, this.state, {
      token,
      peer,
      name,
      nowMs,
      member: isNode ? info(peer, name) : null,
    });
    if (!decision.ok) throw decision.error;
    return grantJoin(keys, this.state, { outcome: this.propose(decision.command), token });
  }
}

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AdmissionError) return error.code;
    throw error;
  }
  return "admitted";
}

test("a node joins with a token, and gets a certificate that every node accepts", () => {
  const cluster = new Cluster();
  const text = cluster.createToken();
  const grant = openGrant(
    keys,
    { token: text, peer: joiner, nowMs: NOW_MS },
    cluster.join({ token: text, peer: joiner, name: "second" }),
  );
  expect(grant).toMatchObject({
    cluster: CLUSTER,
    clusterName: "test",
    facts: { role: "node", name: "second", serial: 2 },
  });
  expect(grant.members.map(({ peer }) => peer).sort()).toEqual([joiner, node].sort());
  const facts = {
    cluster: CLUSTER,
    keyOf: (id: string) => cluster.state.keys.get(id) ?? null,
    isRevoked: cluster.state.isRevoked.bind(cluster.state),
    nowMs: NOW_MS,
  };
  expect(judge(keys, { peer: joiner, credential: grant.certificate }, facts).ok).toBe(true);
  expect(judge(keys, { peer: thief, credential: grant.certificate }, facts)).toMatchObject({ code: "stolen" });
  cluster.propose({ kind: "member.remove", peer: joiner, reason: "" });
  expect(judge(keys, { peer: joiner, credential: grant.certificate }, facts)).toMatchObject({ code: "revoked" });
});

test("a client joins with the role of its token", () => {
  const cluster = new Cluster();
  const text = cluster.createToken("submit");
  const bytes = cluster.join({ token: text, peer: client, name: "laptop", isNode: false });
  expect(openGrant(keys, { token: text, peer: client, nowMs: NOW_MS }, bytes).facts).toMatchObject({ role: "submit" });
  expect(cluster.state.clients.get(client)?.certificate.name).toBe("laptop");
});

test("nobody joins with a token that is used, replayed by another, revoked, expired, of another role or another cluster", () => {
  const cluster = new Cluster();
  const used = cluster.createToken();
  cluster.join({ token: used, peer: joiner, name: "second" });
  expect(code(() => cluster.join({ token: used, peer: thief, name: "third" }))).toBe("used");
  expect(code(() => cluster.join({ token: used, peer: joiner, name: "second" }))).toBe("admitted");
  const revoked = cluster.createToken();
  cluster.propose({ kind: "token.revoke", tokenId: "2".padStart(16, "0") });
  expect(code(() => cluster.join({ token: revoked, peer: thief, name: "third" }))).toBe("revoked");
  const text = cluster.createToken();
  expect(code(() => cluster.join({ token: text, peer: thief, name: "t", nowMs: NOW_MS + 61 * MINUTE_MS }))).toBe(
    "expired",
  );
  expect(code(() => cluster.join({ token: text, peer: thief, name: "t", isNode: false }))).toBe("wrong-role");
  const admin = cluster.createToken("admin");
  expect(code(() => cluster.join({ token: admin, peer: thief, name: "t" }))).toBe("wrong-role");
  expect(code(() => cluster.join({ token: token({}, otherKey), peer: thief, name: "t" }))).toBe("unknown-key");
  expect(code(() => cluster.join({ token: token({ tokenId: "f".repeat(16) }), peer: thief, name: "t" }))).toBe(
    "unknown-token",
  );
  const raised = token({ tokenId: "4".padStart(16, "0"), role: "node" });
  expect(code(() => cluster.join({ token: raised, peer: thief, name: "t" }))).toBe("tampered");
  expect(code(() => cluster.join({ token: text, peer: thief, name: "first" }))).toBe("conflict");
  const request = { token: text, peer: thief, name: "t", nowMs: NOW_MS, member: info(joiner, "t") };
  expect(admitJoin(keys, cluster.state, request)).toMatchObject({ ok: false, error: { code: "stolen" } });
});

test("a joiner is not drawn into a cluster that did not make its token", () => {
  const text = new Cluster().createToken();
  // Same cluster id and token, another key: all that an impostor can do who saw the token.
  const impostor = new Cluster(otherKey);
  const outcome = impostor.propose({ kind: "member.admit", tokenId: null, member: info(joiner, "second") });
  const forged = grantJoin(keys, impostor.state, { outcome, token: impostor.createToken() });
  expect(code(() => openGrant(keys, { token: text, peer: joiner, nowMs: NOW_MS }, forged))).toBe("wrong-cluster");
});

test("no byte of a grant can be changed, and it is good for its peer alone", () => {
  const cluster = new Cluster();
  const text = cluster.createToken();
  const bytes = cluster.join({ token: text, peer: joiner, name: "second" });
  const open = (grant: Uint8Array, peer = joiner, nowMs = NOW_MS) =>
    openGrant(keys, { token: text, peer, nowMs }, grant);
  for (let at = 0; at < bytes.length; at++) {
    const changed = Uint8Array.from(bytes);
    changed[at] = (changed[at] as number) ^ (1 << (at % 8));
    expect(() => open(changed), `byte ${at}`).toThrow(AdmissionError);
  }
  expect(code(() => open(bytes, thief))).toBe("stolen");
});

test("a joiner whose clock is off by minutes is told so", () => {
  const cluster = new Cluster();
  const text = cluster.createToken();
  const bytes = cluster.join({ token: text, peer: joiner, name: "second" });
  const open = (nowMs: number) => openGrant(keys, { token: text, peer: joiner, nowMs }, bytes);
  expect(() => open(NOW_MS - 5 * MINUTE_MS)).toThrow(/clock is 5 min behind the cluster's/);
  expect(() => open(NOW_MS + 5 * MINUTE_MS)).toThrow(/clock is 5 min ahead of the cluster's/);
  expect(open(NOW_MS + MINUTE_MS).cluster).toBe(CLUSTER);
});

test("after a rotation, tokens of the old key still lead in, to certificates of the new one", () => {
  const cluster = new Cluster();
  const text = cluster.createToken();
  cluster.propose({ kind: "key.rotate", ...otherKey });
  const bytes = cluster.join({ token: text, peer: joiner, name: "second" });
  const grant = openGrant(keys, { token: text, peer: joiner, nowMs: NOW_MS }, bytes);
  expect(grant.facts.keyId).toBe(otherKey.keyId);
  expect(keyIdOf(keys.sha256.bind(keys), otherKey.publicKey)).toBe(otherKey.keyId);
  cluster.propose({ kind: "key.retire", keyId: key.keyId, isForced: true });
  expect(code(() => cluster.join({ token: text, peer: thief, name: "third" }))).toBe("unknown-key");
});
