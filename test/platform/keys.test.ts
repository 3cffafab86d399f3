import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { expect, test } from "vitest";
import { createKeys } from "../../src/platform/keys.ts";
import { CertificateError, createIdentity, peerOfCertificate } from "../../src/platform/network/certificate.ts";

const keys = createKeys();
const message = new TextEncoder().encode("a message");

test("a PeerId is the one that libp2p gives the same key, and gives the key back", () => {
  for (let round = 0; round < 20; round++) {
    const pair = keys.create();
    const peer = keys.peerOf(pair.publicKey);
    const raw = Buffer.concat([pair.privateKey, pair.publicKey]);
    expect(peer).toBe(peerIdFromPrivateKey(privateKeyFromRaw(raw)).toString());
    expect(keys.publicKeyOf(peer)).toEqual(pair.publicKey);
  }
});

test("a text that is no PeerId of an Ed25519 key gives no key", () => {
  const peer = keys.peerOf(keys.create().publicKey);
  const rsa = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
  for (const text of [
    "",
    "1",
    "12D3KooW",
    rsa,
    `${peer}1`,
    peer.slice(1),
    `${peer.slice(0, -1)}0`,
    "z".repeat(10_000),
  ]) {
    expect(keys.publicKeyOf(text)).toBe(null);
  }
});

test("a signature holds for its message and key, and for nothing else", () => {
  const pair = keys.create();
  const signature = keys.sign(pair, message);
  expect(signature.length).toBe(64);
  expect(keys.verify(pair.publicKey, message, signature)).toBe(true);
  expect(keys.verify(keys.create().publicKey, message, signature)).toBe(false);
  expect(keys.verify(pair.publicKey, message.slice(1), signature)).toBe(false);
  expect(keys.verify(pair.publicKey, message, signature.slice(1))).toBe(false);
  expect(keys.verify(pair.publicKey.slice(1), message, signature)).toBe(false);
  expect(keys.verify(new Uint8Array(32).fill(255), message, signature)).toBe(false);
});

test("SHA-256 is told in hexadecimal digits", () => {
  expect(keys.sha256(new TextEncoder().encode("abc"))).toBe(
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

function certificateBytes(): { bytes: Uint8Array; peer: string } {
  const pair = keys.create();
  const text = createIdentity(pair, keys).certificate;
  const bytes = Uint8Array.from(Buffer.from(text.replace(/-----[A-Z ]+-----|\n/g, ""), "base64"));
  return { bytes, peer: keys.peerOf(pair.publicKey) };
}

test("a certificate proves the PeerId of the key that made it", () => {
  for (let round = 0; round < 50; round++) {
    const { bytes, peer } = certificateBytes();
    expect(peerOfCertificate(bytes, keys, Date.now())).toBe(peer);
  }
});

test("a certificate with any byte changed or cut off proves nothing", () => {
  const { bytes, peer } = certificateBytes();
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
    expect(() => peerOfCertificate(changed, keys, Date.now()), `byte ${at} of ${peer}`).toThrow(CertificateError);
    expect(() => peerOfCertificate(bytes.subarray(0, at), keys, Date.now())).toThrow(CertificateError);
  }
  expect(() => peerOfCertificate(Uint8Array.from([...bytes, 0]), keys, Date.now())).toThrow(CertificateError);
  expect(() => peerOfCertificate(bytes, keys, -1)).toThrow(/not valid at this time/);
});
