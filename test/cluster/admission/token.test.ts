import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeBase64url, encodeBase64url } from "../../../src/cluster/admission/base64url.ts";
import {
  AdmissionError,
  type AdmissionErrorCode,
  decodeCredentials,
  encodeCredentials,
  parseToken,
  verifyToken,
} from "../../../src/cluster/mod.ts";
import type { Address } from "../../../src/kernel/mod.ts";
import {
  CLUSTER,
  certificate,
  facts,
  key,
  keys,
  MINUTE_MS,
  NOW_MS,
  node,
  nodeKey,
  OTHER_CLUSTER,
  otherKey,
  token,
} from "./support.ts";

function refusal(run: () => unknown): AdmissionError {
  try {
    run();
  } catch (error) {
    if (error instanceof AdmissionError) return error;
    throw error;
  }
  throw new Error("not refused");
}
const verify = (text: string) => verifyToken(keys, text, facts);

test("a token says what it is for, and is verified with the public key alone", () => {
  const text = token();
  expect(text).toMatch(/^sage1\.[A-Za-z0-9_-]+$/);
  expect(text.length).toBeLessThan(400);
  const expected = { cluster: CLUSTER, role: "node", uses: 1, keyId: key.keyId, expiresAtMs: NOW_MS + 60 * MINUTE_MS };
  expect(parseToken(text)).toMatchObject(expected);
  expect(verify(text)).toMatchObject(expected);
});

const bad: Readonly<Record<string, readonly [string, AdmissionErrorCode, RegExp]>> = {
  "an empty text": ["", "malformed", /this is no token/],
  "another prefix": [token().replace("sage1", "sage2"), "malformed", /starts with sage1\./],
  "a blank in it": [token().replace(/.{40}$/, " $&"), "malformed", /no blanks/],
  "its end missing": [token().slice(0, -20), "malformed", /./],
  "a megabyte": [`sage1.${"A".repeat(1 << 20)}`, "malformed", /no token/],
  "another cluster": [token({ cluster: OTHER_CLUSTER }), "wrong-cluster", /token is for cluster f{32}/],
  "a retired key": [token({}, otherKey), "unknown-key", /key was retired/],
  "another key's signature": [token({}, { ...otherKey, keyId: key.keyId }), "tampered", /was altered/],
  "its time over": [
    token({ expiresAtMs: NOW_MS - 3 * MINUTE_MS }),
    "expired",
    /^Cannot join cluster: token expired 3 min ago\. Create one with: sage token create --role node$/,
  ],
};

test.each(Object.entries(bad))("a token is refused with %s", (name, [text, code, message]) => {
  const error = refusal(() => verify(text));
  if (name !== "its end missing") expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
});

test("no character of a token can be changed", () => {
  const text = token();
  for (let at = 0; at < text.length; at++) {
    for (const other of ["A", "b", "_", "9", "=", " "]) {
      if (text[at] === other) continue;
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      expect(() => verify(changed), `${other} at ${at}`).toThrow(AdmissionError);
    }
    expect(() => verify(text.slice(0, at) + text.slice(at + 1)), `without ${at}`).toThrow(AdmissionError);
  }
});

test("base64url comes back, and every text that is not exactly an encoding is refused", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const text = encodeBase64url(bytes);
      expect(text).toBe(Buffer.from(bytes).toString("base64url"));
      expect(decodeBase64url(text)).toEqual(Uint8Array.from(bytes));
    }),
  );
  expect(["A", "AB", "AAF", "A A", "AA==", "ä", "AAAAA"].map(decodeBase64url)).toEqual(
    Array.from({ length: 7 }, () => null),
  );
});

test("a credentials file comes back, and its parts must belong together", () => {
  const credentials = {
    name: "laptop",
    cluster: CLUSTER,
    addresses: ["/ip4/127.0.0.1/tcp/4000" as Address],
    key: nodeKey,
    certificate: certificate({ role: "admin" }),
  };
  const text = encodeCredentials(credentials);
  expect(decodeCredentials(keys, text)).toMatchObject({ ...credentials, facts: { peer: node, role: "admin" } });
  const changed = (change: object): string => JSON.stringify({ ...(JSON.parse(text) as object), ...change });
  const codes = (of: string): string => refusal(() => decodeCredentials(keys, of)).code;
  expect(codes("")).toBe("malformed");
  expect(codes("[]")).toBe("malformed");
  expect(codes(changed({ version: 2 }))).toBe("malformed");
  expect(codes(changed({ addresses: [] }))).toBe("malformed");
  expect(codes(changed({ privateKey: "AAAA" }))).toBe("malformed");
  expect(codes(changed({ certificate: "AAAA" }))).toBe("malformed");
  expect(codes(changed({ cluster: OTHER_CLUSTER }))).toBe("wrong-cluster");
  expect(codes(encodeCredentials({ ...credentials, key: keys.create() }))).toBe("stolen");
});
