import type { KeyPair, Keys, PeerId } from "../../kernel/mod.ts";
import type { Seeded } from "./seeded.ts";

/**
 * Keys whose signatures cost nothing, for worlds of a thousand nodes. Public and private half are the same bytes, so
 * they protect nothing: the simulator tries what nodes do with valid signatures, other tests what they do with forged ones.
 */
export class VirtualKeys implements Keys {
  readonly #random: Seeded;

  constructor(random: Seeded) {
    this.#random = random;
  }

  create(): KeyPair {
    const key = this.#random.bytes(32);
    return { publicKey: key, privateKey: key };
  }

  sign(pair: KeyPair, message: Uint8Array): Uint8Array {
    return signature(pair.privateKey, message);
  }

  verify(publicKey: Uint8Array, message: Uint8Array, given: Uint8Array): boolean {
    const wanted = signature(publicKey, message);
    return given.length === wanted.length && wanted.every((byte, at) => byte === given[at]);
  }

  sha256(bytes: Uint8Array): string {
    return hex(digest(bytes, 0));
  }

  peerOf(publicKey: Uint8Array): PeerId {
    return `12D3${hex(publicKey.subarray(0, 24))}` as PeerId;
  }

  publicKeyOf(peer: string): Uint8Array | null {
    const match = /^12D3([0-9a-f]{48})$/.exec(peer)?.[1];
    if (match === undefined) return null;
    const key = new Uint8Array(32);
    for (let at = 0; at < 24; at++) key[at] = Number.parseInt(match.slice(2 * at, 2 * at + 2), 16);
    return key;
  }
}

function signature(key: Uint8Array, message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set(digest(message, digestWord(key.subarray(0, 24), 7)));
  return bytes;
}

/** 32 bytes that depend on all of `bytes`: not SHA-256, but as good where nobody cheats. */
function digest(bytes: Uint8Array, salt: number): Uint8Array {
  const words = new Uint32Array(8);
  let a = digestWord(bytes, salt);
  let b = digestWord(bytes, ~salt);
  for (let at = 0; at < 8; at++) {
    a = Math.imul(a ^ (b >>> 15), 0x85ebca6b) + at;
    b = Math.imul(b ^ (a >>> 13), 0xc2b2ae35) ^ a;
    words[at] = a ^ b;
  }
  return new Uint8Array(words.buffer);
}

function digestWord(bytes: Uint8Array, salt: number): number {
  let hash = 0x811c9dc5 ^ salt;
  for (let at = 0; at < bytes.length; at++) {
    hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
    hash ^= hash >>> 17;
  }
  return hash >>> 0;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
