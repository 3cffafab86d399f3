import { describe, expect, test } from "vitest";
import type { Command, Role } from "../../../src/cluster/mod.ts";
import { createClusterKey } from "../../../src/cluster/mod.ts";
import {
  actor,
  CLUSTER,
  clusterKey,
  createCluster,
  HOUR_MS,
  keys,
  member,
  peerOf,
  Replica,
  START_MS,
  started,
} from "./support.ts";

const job = (id: string): string => id.repeat(32).slice(0, 32);
const hash = (bytes: Uint8Array) => keys.sha256(bytes) as never;
const content = Uint8Array.of(1, 2, 3);
const token = (id: string, change: Partial<Extract<Command, { kind: "token.create" }>> = {}): Command => ({
  kind: "token.create",
  tokenId: id.repeat(16).slice(0, 16),
  role: "node",
  expiresAtMs: START_MS + HOUR_MS,
  uses: 1,
  keyId: clusterKey.keyId,
  ...change,
});
const tokenId = (id: string): string => id.repeat(16).slice(0, 16);
const admit = (name: string, id: string | null): Command => ({
  kind: "member.admit",
  tokenId: id === null ? null : tokenId(id),
  member: member(name),
});
const useToken = (name: string, id: string): Command => ({
  kind: "token.use",
  tokenId: tokenId(id),
  peer: peerOf(`peer-${name}`),
  name,
});
const set = (key: string, expectedVersion: number | null = null): Command => ({
  kind: "setting.set",
  key,
  value: "v",
  expectedVersion,
});
const createJob = (id: string): Command => ({
  kind: "job.create",
  jobId: job(id),
  name: "flights",
  blobs: [],
  options: new Uint8Array(0),
});
const move = (id: string, from: string, to: string, attempt = 1): Command =>
  ({ kind: "job.move", jobId: job(id), from, to, attempt, reason: "" }) as Command;
const chunk = (bytes: Uint8Array, change: Partial<Extract<Command, { kind: "blob.chunk" }>> = {}): Command => ({
  kind: "blob.chunk",
  hash: hash(bytes),
  blobBytes: bytes.length,
  offset: 0,
  bytes,
  ...change,
});
const commit = (bytes: Uint8Array): Command => ({ kind: "blob.commit", hash: hash(bytes) });
const revoke = (name: string, serial: number | null): Command => ({
  kind: "certificate.revoke",
  peer: peerOf(`peer-${name}`),
  serial,
  reason: "",
});

/** What is refused: the sentence, what was done before, the command, the code. */
type Row = readonly [string, readonly Command[], Command, string, number?];
const second = createClusterKey(keys);
const rows: readonly Row[] = [
  ["a second cluster", [], createCluster, "cluster-exists"],
  ["an upgrade to the present format", [], { kind: "cluster.upgrade", format: 1 }, "stale"],
  ["an upgrade that a member cannot follow", [], { kind: "cluster.upgrade", format: 2 }, "too-old"],
  ["a member by an unknown token", [], admit("second", "a"), "not-found"],
  ["a member by an expired token", [token("a")], admit("second", "a"), "token-expired", HOUR_MS],
  ["a member by a used token", [token("a"), admit("second", "a")], admit("third", "a"), "token-used"],
  [
    "a member by a revoked token",
    [token("a"), { kind: "token.revoke", tokenId: tokenId("a") }],
    admit("second", "a"),
    "token-revoked",
  ],
  ["a member by a client's token", [token("a", { role: "admin" })], admit("second", "a"), "token-role"],
  ["a client by a node's token", [token("a")], useToken("second", "a"), "token-role"],
  [
    "a member with another's name",
    [token("a")],
    { kind: "member.admit", tokenId: tokenId("a"), member: member("first", { peer: peerOf("other") }) },
    "conflict",
  ],
  [
    "a member that is known as a client",
    [token("a", { role: "read" }), useToken("c", "a")],
    admit("c", null),
    "conflict",
  ],
  ["a client that is known as a member", [token("a", { role: "read" })], useToken("first", "a"), "conflict"],
  ["an update of an unknown member", [], { kind: "member.update", member: member("second") }, "not-found"],
  [
    "an update to another's name",
    [admit("second", null)],
    { kind: "member.update", member: member("first", { peer: peerOf("peer-second") }) },
    "conflict",
  ],
  ["the removal of an unknown member", [], { kind: "member.remove", peer: peerOf("x"), reason: "" }, "not-found"],
  ["a token twice", [token("a")], token("a"), "conflict"],
  ["a token by an unknown key", [], token("a", { keyId: "0".repeat(32) }), "not-found"],
  ["a token of the past", [], token("a", { expiresAtMs: START_MS }), "limit"],
  ["a token of two years", [], token("a", { expiresAtMs: START_MS + 732 * 24 * HOUR_MS }), "limit"],
  ["the revocation of an unknown token", [], { kind: "token.revoke", tokenId: tokenId("a") }, "not-found"],
  ["a key under a wrong name", [], { kind: "key.rotate", ...second, keyId: "0".repeat(32) }, "malformed"],
  ["a key twice", [], { kind: "key.rotate", ...clusterKey }, "conflict"],
  ["the retirement of the active key", [], { kind: "key.retire", keyId: clusterKey.keyId, isForced: true }, "in-use"],
  [
    "the retirement of a key in use",
    [{ kind: "key.rotate", ...second }],
    { kind: "key.retire", keyId: clusterKey.keyId, isForced: false },
    "in-use",
  ],
  ["the retirement of an unknown key", [], { kind: "key.retire", keyId: "0".repeat(32), isForced: true }, "not-found"],
  ["the renewal of an unknown certificate", [], { kind: "certificate.renew", peer: peerOf("x") }, "not-found"],
  [
    "the renewal of a revoked certificate",
    [revoke("first", null)],
    { kind: "certificate.renew", peer: peerOf("peer-first") },
    "revoked",
  ],
  ["the revocation of a certificate to come", [], revoke("first", 99), "not-found"],
  ["the revocation for an unknown peer", [], revoke("x", null), "not-found"],
  ["a setting of another version", [set("a")], set("a", 1), "stale"],
  ["a setting that was to be new", [set("a")], set("a", 0), "stale"],
  ["a setting that was to be there", [], set("a", 7), "stale"],
  [
    "the deletion of a setting that is not there",
    [],
    { kind: "setting.delete", key: "a", expectedVersion: null },
    "not-found",
  ],
  [
    "the deletion of a setting of another version",
    [set("a")],
    { kind: "setting.delete", key: "a", expectedVersion: 1 },
    "stale",
  ],
  ["a job with the id of another", [createJob("a")], { ...createJob("a"), name: "other" } as Command, "conflict"],
  ["a job without its blob", [], { ...createJob("a"), blobs: [hash(content)] } as Command, "not-found"],
  ["a move of an unknown job", [], move("a", "submitted", "compiling"), "not-found"],
  ["a move from another state", [createJob("a")], move("a", "running", "finishing"), "stale"],
  ["a move in another attempt", [createJob("a")], move("a", "submitted", "compiling", 2), "stale"],
  ["a move that the table lacks", [createJob("a")], move("a", "submitted", "finished"), "illegal-move"],
  ["the deletion of a job that is not ended", [createJob("a")], { kind: "job.delete", jobId: job("a") }, "in-use"],
  ["the deletion of an unknown job", [], { kind: "job.delete", jobId: job("a") }, "not-found"],
  ["a blob whose content is another", [], chunk(content, { hash: hash(Uint8Array.of(9)) }), "bad-blob"],
  ["a blob's chunk of a wrong size", [], chunk(content, { blobBytes: 4 }), "bad-blob"],
  [
    "a blob's chunk past the first, first",
    [],
    chunk(new Uint8Array(1), { blobBytes: (256 << 10) + 1, offset: 256 << 10 }),
    "not-found",
  ],
  ["the end of a blob that nobody sends", [], commit(content), "not-found"],
  ["the drop of a blob that is not there", [], { kind: "blob.drop", hash: hash(content) }, "not-found"],
  [
    "the drop of a blob that a job holds",
    [chunk(content), commit(content), { ...createJob("a"), blobs: [hash(content)] } as Command],
    { kind: "blob.drop", hash: hash(content) },
    "in-use",
  ],
];

describe("refused, with the state unchanged but for session and audit", () => {
  test.each(rows.map((row) => ({ name: row[0], row })))("$name", ({ row: [, before, command, code, laterMs = 0] }) => {
    const replica = started();
    for (const earlier of before) expect(replica.try(earlier)).toBe("ok");
    replica.nowMs += laterMs;
    const result = replica.propose(command);
    expect(result.outcome).toMatchObject({ ok: false, code });
    expect(result.effects).toEqual([]);
    expect(result.outcome.ok ? "" : result.outcome.message).toMatch(/^Cannot .*[.A-Za-z]$/);
  });
});

test("everything but the creation of a cluster is refused before it", () => {
  expect(new Replica().try(set("a"))).toBe("no-cluster");
});

test("a role does what those below it may, and no more", () => {
  const replica = started();
  const can = (role: Role, command: Command): boolean =>
    replica.try(command, { by: actor(role, role) }) !== "forbidden";
  expect((["read", "submit", "admin", "node"] as const).map((role) => can(role, set("a")))).toEqual([
    false,
    false,
    true,
    true,
  ]);
  expect(
    (["read", "submit", "admin", "node"] as const).map((role) =>
      can(role, createJob({ read: "1", submit: "2", admin: "3", node: "4" }[role])),
    ),
  ).toEqual([false, true, true, true]);
  expect((["read", "submit", "admin", "node"] as const).map((role) => can(role, admit("x", null)))).toEqual([
    false,
    false,
    false,
    true,
  ]);
  expect(replica.try({ kind: "certificate.renew", peer: peerOf("peer-first") }, { by: actor("read", "other") })).toBe(
    "forbidden",
  );
});

test("the same peer may show the same token again, another may not", () => {
  const replica = started();
  replica.propose(token("a"));
  const first = replica.propose(admit("second", "a"));
  const again = replica.propose(admit("second", "a"));
  expect(first.outcome).toMatchObject({
    ok: true,
    value: { certificate: { serial: 2, role: "node", name: "second" } },
  });
  expect(again.outcome).toMatchObject({ ok: true, value: { certificate: { serial: 3 } } });
  expect(replica.state.tokens.get(tokenId("a"))?.used).toBe(1);
  expect(replica.try(admit("third", "a"))).toBe("token-used");
});

test("a removed member's certificates are revoked, and it may come back with a new one", () => {
  const replica = started();
  replica.propose(admit("second", null));
  const peer = peerOf("peer-second");
  replica.propose({ kind: "member.remove", peer, reason: "left" });
  expect(replica.state.members.has(peer)).toBe(false);
  expect(replica.state.isRevoked({ peer, serial: 2 })).toBe(true);
  replica.propose(admit("second", null));
  expect(replica.state.isRevoked({ peer, serial: 3 })).toBe(false);
  expect(replica.state.isRevoked({ peer, serial: 2 })).toBe(true);
});

test("a key may be retired once everyone has renewed", () => {
  const replica = started();
  replica.propose({ kind: "key.rotate", ...second });
  const retire: Command = { kind: "key.retire", keyId: clusterKey.keyId, isForced: false };
  expect(replica.state.unusedKeys(replica.nowMs)).toEqual([]);
  const renewed = replica.propose({ kind: "certificate.renew", peer: peerOf("peer-first") });
  expect(renewed.outcome).toMatchObject({ ok: true, value: { certificate: { keyId: second.keyId } } });
  expect(replica.state.unusedKeys(replica.nowMs)).toEqual([clusterKey.keyId]);
  expect(replica.try(retire)).toBe("ok");
  expect(replica.state.cluster).toMatchObject({ id: CLUSTER, activeKeyId: second.keyId });
});

test("versions of a setting are log indexes and never come again", () => {
  const replica = started();
  const first = replica.propose(set("a", 0));
  expect(first.outcome).toEqual({ ok: true, value: { type: "version", version: 2 } });
  expect(replica.try({ kind: "setting.delete", key: "a", expectedVersion: 2 })).toBe("ok");
  expect(replica.propose(set("a", 0)).outcome).toMatchObject({ value: { version: 4 } });
  expect(replica.try(set("a", 2))).toBe("stale");
});
