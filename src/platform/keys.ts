/**
 * Ed25519 keys, SHA-256, and the libp2p PeerId of a key, without loading libp2p.
 *
 * A PeerId of an Ed25519 key is the base58btc text of the identity multihash of the protobuf of the public key:
 * 00 24 | 08 01 12 20 | 32 bytes.
 *
 * @see https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign, verify } from "node:crypto";
import { invariant, type KeyPair, type Keys, type PeerId } from "../kernel/mod.ts";
import { base58Bytes, base58Text } from "./base58.ts";

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** Protobuf of a libp2p public key, before the 32 bytes: type Ed25519, data of 32 bytes. */
export const PUBLIC_KEY_HEAD: Uint8Array = Uint8Array.of(0x08, 0x01, 0x12, 0x20);
const PEER_HEAD = Uint8Array.of(0x00, 0x24, ...PUBLIC_KEY_HEAD);
/** DER of PKCS #8 and of SubjectPublicKeyInfo of an Ed25519 key, before the 32 bytes (RFC 8410). */
const PKCS8_HEAD = Uint8Array.from(Buffer.from("302e020100300506032b657004220420", "hex"));
const SPKI_HEAD = Uint8Array.from(Buffer.from("302a300506032b6570032100", "hex"));
/** How many parsed keys are kept: parsing costs more than verifying. */
const PARSED_KEYS_MAX = 4_096;
const PEER_TEXT_CHARS_MAX = 64;

function join(head: Uint8Array, tail: Uint8Array): Buffer {
  return Buffer.concat([head, tail]);
}

function hasPrefix(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.every((byte, index) => bytes[index] === byte);
}

/** The public key of an Ed25519 seed. */
export function publicKeyOfSeed(seed: Uint8Array): Uint8Array {
  invariant(seed.length === KEY_BYTES, "an Ed25519 seed has 32 bytes");
  const spki = createPublicKey(createPrivateKey({ key: join(PKCS8_HEAD, seed), format: "der", type: "pkcs8" }));
  return Uint8Array.from(spki.export({ format: "der", type: "spki" }).subarray(SPKI_HEAD.length));
}

export function peerOfPublicKey(publicKey: Uint8Array): PeerId {
  invariant(publicKey.length === KEY_BYTES, "an Ed25519 public key has 32 bytes");
  return base58Text(join(PEER_HEAD, publicKey)) as PeerId;
}

export function publicKeyOfPeer(peer: string): Uint8Array | null {
  if (peer.length > PEER_TEXT_CHARS_MAX) return null;
  const bytes = base58Bytes(peer);
  if (bytes === null || bytes.length !== PEER_HEAD.length + KEY_BYTES || !hasPrefix(bytes, PEER_HEAD)) return null;
  return bytes.slice(PEER_HEAD.length);
}

/** A cache that forgets its oldest entry when full. */
class Recent<Value> {
  private readonly entries = new Map<string, Value>();

  get(key: string, make: () => Value): Value {
    const known = this.entries.get(key);
    if (known !== undefined) return known;
    const value = make();
    if (this.entries.size >= PARSED_KEYS_MAX) {
      const oldest = this.entries.keys().next().value;
      if (oldest !== undefined) this.entries.delete(oldest);
    }
    this.entries.set(key, value);
    return value;
  }
}

/** The kernel's `Keys` on node:crypto. */
export function createKeys(): Keys {
  const publicKeys = new Recent<KeyObject>();
  const privateKeys = new Map<string, KeyObject>();
  const parsePublic = (bytes: Uint8Array): KeyObject =>
    publicKeys.get(Buffer.from(bytes).toString("latin1"), () =>
      createPublicKey({ key: join(SPKI_HEAD, bytes), format: "der", type: "spki" }),
    );
  const parsePrivate = (pair: KeyPair): KeyObject => {
    const name = Buffer.from(pair.privateKey).toString("latin1");
    const known = privateKeys.get(name);
    if (known !== undefined) return known;
    const key = createPrivateKey({ key: join(PKCS8_HEAD, pair.privateKey), format: "der", type: "pkcs8" });
    // A process has its own key and the cluster's; more come only from tests.
    if (privateKeys.size > 16) privateKeys.clear();
    privateKeys.set(name, key);
    return key;
  };
  return {
    create() {
      const privateKey = Uint8Array.from(randomBytes(KEY_BYTES));
      return { publicKey: publicKeyOfSeed(privateKey), privateKey };
    },
    sign: (pair, message) => Uint8Array.from(sign(null, message, parsePrivate(pair))),
    verify(publicKey, message, signature) {
      if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
      try {
        return verify(null, message, parsePublic(publicKey), signature);
      } catch {
        return false;
      }
    },
    sha256: (bytes) => createHash("sha256").update(bytes).digest("hex"),
    peerOf: peerOfPublicKey,
    publicKeyOf: publicKeyOfPeer,
  };
}
