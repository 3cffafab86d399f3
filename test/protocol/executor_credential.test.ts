import { expect, test } from "vitest";
import { createClusterKey, issueCertificate } from "../../src/cluster/mod.ts";
import type { ClusterId } from "../../src/kernel/mod.ts";
import { createKeys } from "../../src/platform/keys.ts";
import { encodeExecutorCredential, judgeExecutorCredential, mayExchange } from "../../src/protocol/mod.ts";

const keys = createKeys();
const cluster = "0123456789abcdef0123456789abcdef" as ClusterId;
const clusterKey = createClusterKey(keys);
const node = keys.create();
const executor = keys.create();
const peer = keys.peerOf(executor.publicKey);
const JOB = "00112233445566778899aabbccddeeff";
const DAY_MS = 86_400_000;

function certificateOf(role: "node" | "submit" = "node", pair = node, key = clusterKey): Uint8Array {
  const facts = { serial: 1, peer: keys.peerOf(pair.publicKey), role, name: "n1", keyId: key.keyId };
  return issueCertificate(keys, key, { cluster, facts: { ...facts, issuedAtMs: 0, expiresAtMs: 10 * DAY_MS } });
}

function credential(
  options: { readonly certificate?: Uint8Array; readonly jobId?: string | null; readonly by?: typeof node } = {},
) {
  const { certificate = certificateOf(), jobId = JOB, by = node } = options;
  return encodeExecutorCredential(keys, by, { certificate, peer, jobId, expiresAtMs: DAY_MS });
}

function judged(shown: Uint8Array, options: { readonly nowMs?: number; readonly from?: typeof peer } = {}) {
  const { nowMs = 0, from = peer } = options;
  return judgeExecutorCredential(keys, { peer: from, credential: shown }, { cluster, keys: [clusterKey], nowMs });
}

test("an executor that a member vouches for is known with its job", () => {
  const verdict = judged(credential());
  expect(verdict).toMatchObject({ ok: true, credential: { peer, jobId: JOB, node: keys.peerOf(node.publicKey) } });
  expect(mayExchange({ jobId: JOB }, JOB)).toBe(true);
  expect(mayExchange({ jobId: JOB }, "f".repeat(32))).toBe(false);
  expect(mayExchange({ jobId: null }, "f".repeat(32))).toBe(true);
});

test("what is forged, stolen, expired or of another cluster is refused, with the reason", () => {
  const other = keys.create();
  const cases = [
    [judged(credential(), { from: keys.peerOf(other.publicKey) }), "belongs to"],
    [judged(credential(), { nowMs: 2 * DAY_MS }), "expired"],
    [judged(credential({ by: other })), "node's signature"],
    [judged(credential({ certificate: certificateOf("submit") })), "only nodes"],
    [judged(credential({ certificate: certificateOf("node", node, createClusterKey(keys)) })), "no key"],
    [judged(new Uint8Array(0)), "none of an executor"],
    [judged(crypto.getRandomValues(new Uint8Array(500))), "none of an executor"],
  ] as const;
  for (const [verdict, reason] of cases)
    expect(verdict).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
});

test("no changed byte passes", () => {
  const true_ = credential();
  for (let at = 0; at < true_.length; at++) {
    const damaged = true_.slice();
    damaged[at] = (damaged[at] as number) ^ 1;
    expect(judged(damaged).ok).toBe(false);
  }
});
