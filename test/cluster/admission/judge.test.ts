import { describe, expect, test } from "vitest";
import {
  type AdmissionErrorCode,
  decodeCertificate,
  type JudgeFacts,
  judge,
  needsRenewal,
  permittedMethods,
  ROLE_NAMES,
  toAdmission,
} from "../../../src/cluster/mod.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";
import {
  certificate,
  DAY_MS,
  facts,
  key,
  keys,
  MINUTE_MS,
  NOW_MS,
  node,
  OTHER_CLUSTER,
  otherKey,
  thief,
  token,
} from "./support.ts";

interface Row {
  readonly credential: Uint8Array;
  readonly peer?: PeerId;
  readonly facts?: Partial<JudgeFacts>;
  readonly code: AdmissionErrorCode;
  readonly reason: RegExp;
}

function flipped(bytes: Uint8Array, at: number, mask = 1): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] as number) ^ mask;
  return copy;
}

const good = certificate();
const rows: Readonly<Record<string, Row>> = {
  "no credential": { credential: new Uint8Array(0), code: "no-credential", reason: /Join with a token/ },
  "random bytes": { credential: new Uint8Array(200).fill(7), code: "malformed", reason: /no certificate/ },
  "64 bytes": { credential: new Uint8Array(64), code: "malformed", reason: /no certificate/ },
  "a megabyte": { credential: new Uint8Array(1 << 20), code: "malformed", reason: /no certificate/ },
  "a token instead": { credential: new TextEncoder().encode(token()), code: "malformed", reason: /no certificate/ },
  "another cluster": {
    credential: certificate({ cluster: OTHER_CLUSTER }, otherKey),
    code: "wrong-cluster",
    reason: /of cluster f{32}, this is cluster 0123/,
  },
  "a key that was retired": { credential: certificate({}, otherKey), code: "unknown-key", reason: /was retired/ },
  "another key under the name of the true one": {
    credential: certificate({}, { ...otherKey, keyId: key.keyId }),
    code: "tampered",
    reason: /signature does not hold/,
  },
  "an altered signature": { credential: flipped(good, good.length - 1), code: "tampered", reason: /signature/ },
  "another's certificate": { credential: good, peer: thief, code: "stolen", reason: /belongs to 12D3.*shows it/ },
  "a revoked serial": { credential: certificate({ serial: 13 }), code: "revoked", reason: /certificate 13 of first/ },
  "an expired one": {
    credential: certificate({ expiresAtMs: NOW_MS - 3 * MINUTE_MS }),
    code: "expired",
    reason: /expired 3 min ago\. Join again with a token\. Check the clocks as well$/,
  },
  "an expired one of a client, which does not join": {
    credential: certificate({ role: "submit", expiresAtMs: NOW_MS - 3 * MINUTE_MS }),
    code: "expired",
    reason: /expired 3 min ago\. Check the clocks as well$/,
  },
  "a client's of a key that was retired": {
    credential: certificate({ role: "read" }, otherKey),
    code: "unknown-key",
    reason: /it was retired$/,
  },
  "a clock that is behind": {
    credential: good,
    facts: { nowMs: NOW_MS - DAY_MS - 5 * MINUTE_MS },
    code: "not-yet-valid",
    reason: /begins in 5 min: a clock is off/,
  },
  "a role that does not reach": {
    credential: certificate({ role: "read" }),
    facts: { minRole: "admin" },
    code: "wrong-role",
    reason: /has the role read, this needs admin/,
  },
};

describe("a peer is refused that shows", () => {
  test.each(Object.entries(rows))("%s", (_, row) => {
    const verdict = judge(keys, { peer: row.peer ?? node, credential: row.credential }, { ...facts, ...row.facts });
    expect(verdict).toMatchObject({ ok: false, code: row.code });
    expect(verdict.ok ? "" : verdict.reason).toMatch(row.reason);
    expect(toAdmission(verdict).kind).toBe(row.code === "no-credential" ? "guest" : "refused");
  });
});

test("a certificate in force lets its own peer in: nodes as members, others as clients", () => {
  const verdict = judge(keys, { peer: node, credential: good }, facts);
  expect(verdict).toMatchObject({ ok: true, certificate: { name: "first", role: "node", serial: 7 } });
  expect(toAdmission(verdict)).toEqual({ kind: "member" });
  const client = judge(keys, { peer: node, credential: certificate({ role: "submit" }) }, facts);
  expect(toAdmission(client)).toEqual({ kind: "client" });
});

test("clocks may differ by two minutes, at both ends of a certificate's life", () => {
  const at = (nowMs: number): boolean => judge(keys, { peer: node, credential: good }, { ...facts, nowMs }).ok;
  const [begin, end] = [NOW_MS - DAY_MS, NOW_MS + 29 * DAY_MS];
  expect([begin - 2 * MINUTE_MS - 1, begin - 2 * MINUTE_MS].map(at)).toEqual([false, true]);
  expect([end + 2 * MINUTE_MS - 1, end + 2 * MINUTE_MS].map(at)).toEqual([true, false]);
});

test("no bit of a certificate can be changed, and no byte cut off or added", () => {
  for (let at = 0; at < good.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const verdict = judge(keys, { peer: node, credential: flipped(good, at, 1 << bit) }, facts);
      expect(verdict.ok, `bit ${bit} of byte ${at}`).toBe(false);
    }
    expect(judge(keys, { peer: node, credential: good.subarray(0, at) }, facts).ok).toBe(false);
  }
  expect(judge(keys, { peer: node, credential: Uint8Array.from([...good, 0]) }, facts).ok).toBe(false);
});

test("a certificate is renewed after two thirds of its life, or once the cluster signs with another key", () => {
  const shown = decodeCertificate(good);
  if (shown === null) throw new Error("not decoded");
  const needs = (nowMs: number, activeKeyId = key.keyId): boolean => needsRenewal(shown, { nowMs, activeKeyId });
  const begin = NOW_MS - DAY_MS;
  expect([begin + 20 * DAY_MS - 1, begin + 20 * DAY_MS].map((at) => needs(at))).toEqual([false, true]);
  expect(needs(NOW_MS, otherKey.keyId)).toBe(true);
});

test("each role may call what those below it may", () => {
  const methods = (["guest", ...ROLE_NAMES] as const).map((minRole) => ({ name: `for.${minRole}`, minRole }));
  expect(permittedMethods(methods)).toEqual({
    read: ["for.guest", "for.read"],
    submit: ["for.guest", "for.read", "for.submit"],
    admin: ["for.guest", "for.read", "for.submit", "for.admin"],
    node: ["for.guest", "for.read", "for.submit", "for.admin", "for.node"],
  });
});
