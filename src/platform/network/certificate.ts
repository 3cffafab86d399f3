/**
 * Certificates that prove a PeerId, as the libp2p TLS specification has them.
 *
 * A fresh P-256 key makes a self-signed certificate; an extension holds the node's Ed25519 public key and its signature
 * over the certificate's key. TLS itself proves possession of the certificate's key. The extension is not critical:
 * the TLS of one runtime refuses critical ones that it does not know.
 *
 * @see https://github.com/libp2p/specs/blob/master/tls/tls.md
 */
import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import type { KeyPair, Keys, PeerId } from "../../kernel/mod.ts";
import { PUBLIC_KEY_HEAD } from "../keys.ts";
import { DerError, DerReader, type DerValue, der, explicitTag, oid, TAG } from "./der.ts";

const SIGNATURE_PREFIX = new TextEncoder().encode("libp2p-tls-handshake:");
const LIBP2P_OID = oid("1.3.6.1.4.1.53594.1.1");
const ECDSA_SHA256 = der(TAG.sequence, oid("1.2.840.10045.4.3.2"));
const ED25519 = der(TAG.sequence, oid("1.3.101.112"));
const CERTIFICATE_BYTES_MAX = 8_192;
const VERSION_3 = der(explicitTag(0), der(TAG.integer, Uint8Array.of(2)));
/** As the specification wants: valid for so long that clocks do not matter. */
const NOT_BEFORE = der(TAG.utcTime, new TextEncoder().encode("700101000000Z"));
const NOT_AFTER = der(TAG.generalizedTime, new TextEncoder().encode("40960101000000Z"));

export interface Identity {
  /** PEM texts for the runtime's TLS. */
  readonly certificate: string;
  readonly privateKey: string;
}

/** A certificate for one run of a node: its key lives in memory only. */
export function createIdentity(pair: KeyPair, keys: Keys): Identity {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const spki = Uint8Array.from(publicKey.export({ format: "der", type: "spki" }));
  const proof = der(
    TAG.sequence,
    der(TAG.octetString, PUBLIC_KEY_HEAD, pair.publicKey),
    der(TAG.octetString, keys.sign(pair, Buffer.concat([SIGNATURE_PREFIX, spki]))),
  );
  const extension = der(TAG.sequence, LIBP2P_OID, der(TAG.octetString, proof));
  const serial = Uint8Array.from(randomBytes(16));
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40; // positive and in its shortest form
  const name = der(
    TAG.sequence,
    der(TAG.set, der(TAG.sequence, oid("2.5.4.3"), der(TAG.utf8String, new TextEncoder().encode("sage")))),
  );
  const toSign = der(
    TAG.sequence,
    VERSION_3,
    der(TAG.integer, serial),
    ECDSA_SHA256,
    name,
    der(TAG.sequence, NOT_BEFORE, NOT_AFTER),
    name,
    spki,
    der(explicitTag(3), der(TAG.sequence, extension)),
  );
  const signature = sign("sha256", toSign, privateKey);
  const certificate = der(TAG.sequence, toSign, ECDSA_SHA256, der(TAG.bitString, Uint8Array.of(0), signature));
  return {
    certificate: pem("CERTIFICATE", certificate),
    privateKey: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
  };
}

function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** Thrown for a certificate that proves nothing; the message says why. */
export class CertificateError extends Error {
  override readonly name = "CertificateError";
}

interface Parsed {
  readonly signed: Uint8Array;
  readonly algorithm: Uint8Array;
  readonly signature: Uint8Array;
  readonly spki: Uint8Array;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly proof: Uint8Array;
}

/**
 * The PeerId that the certificate (DER) proves.
 * @throws {CertificateError} not a certificate, not self-signed, outside its time, without a valid proof
 */
export function peerOfCertificate(bytes: Uint8Array, keys: Keys, wallMs: number): PeerId {
  if (bytes.length > CERTIFICATE_BYTES_MAX) throw new CertificateError("the certificate is too long");
  try {
    const parsed = parse(bytes);
    if (wallMs < parsed.notBeforeMs || wallMs > parsed.notAfterMs) {
      throw new CertificateError("the certificate is not valid at this time");
    }
    if (!isSelfSigned(parsed)) throw new CertificateError("the certificate is not signed by its own key");
    return provenPeer(parsed, keys);
  } catch (error) {
    if (error instanceof DerError) throw new CertificateError(`the certificate is malformed: ${error.message}`);
    throw error;
  }
}

function parse(bytes: Uint8Array): Parsed {
  const outer = new DerReader(bytes);
  const certificate = outer.enter();
  if (!outer.isAtEnd) throw new DerError("bytes after the certificate");
  const signed = certificate.next(TAG.sequence);
  const algorithm = certificate.next(TAG.sequence).bytes;
  const signature = bitString(certificate.next(TAG.bitString));
  const fields = new DerReader(signed.content);
  fields.next(explicitTag(0));
  fields.next(TAG.integer);
  if (!sameBytes(fields.next(TAG.sequence).bytes, algorithm)) throw new DerError("two signature algorithms");
  const issuer = fields.next(TAG.sequence).bytes;
  const validity = fields.enter();
  const notBeforeMs = timeMs(validity.next());
  const notAfterMs = timeMs(validity.next());
  if (!sameBytes(fields.next(TAG.sequence).bytes, issuer)) throw new DerError("issuer and subject differ");
  const spki = fields.next(TAG.sequence).bytes;
  return { signed: signed.bytes, algorithm, signature, spki, notBeforeMs, notAfterMs, proof: proofExtension(fields) };
}

function proofExtension(fields: DerReader): Uint8Array {
  while (!fields.isAtEnd && fields.peek() !== explicitTag(3)) fields.next();
  if (fields.isAtEnd) throw new CertificateError("the certificate has no libp2p extension");
  const extensions = fields.enter(explicitTag(3)).enter();
  let proof: Uint8Array | null = null;
  while (!extensions.isAtEnd) {
    const extension = extensions.enter();
    const name = extension.next(TAG.oid).bytes;
    const isCritical = extension.peek() === TAG.boolean && extension.next().content[0] === 0xff;
    const value = extension.next(TAG.octetString).content;
    if (sameBytes(name, LIBP2P_OID)) {
      if (proof !== null) throw new CertificateError("the certificate has two libp2p extensions");
      proof = value;
    } else if (isCritical) {
      throw new CertificateError("the certificate has an unknown critical extension");
    }
  }
  if (proof === null) throw new CertificateError("the certificate has no libp2p extension");
  return proof;
}

function isSelfSigned(parsed: Parsed): boolean {
  const isEcdsa = sameBytes(parsed.algorithm, ECDSA_SHA256);
  if (!isEcdsa && !sameBytes(parsed.algorithm, ED25519)) {
    throw new CertificateError("the certificate's signature is neither ECDSA with SHA-256 nor Ed25519");
  }
  try {
    const key = createPublicKey({ key: Buffer.from(parsed.spki), format: "der", type: "spki" });
    if (key.asymmetricKeyType !== (isEcdsa ? "ec" : "ed25519")) return false;
    return verify(isEcdsa ? "sha256" : null, parsed.signed, key, parsed.signature);
  } catch {
    return false;
  }
}

function provenPeer(parsed: Parsed, keys: Keys): PeerId {
  const outer = new DerReader(parsed.proof);
  const proof = outer.enter();
  const hostKey = proof.next(TAG.octetString).content;
  const signature = proof.next(TAG.octetString).content;
  const head = hostKey.subarray(0, PUBLIC_KEY_HEAD.length);
  const publicKey = hostKey.subarray(PUBLIC_KEY_HEAD.length);
  if (!sameBytes(head, PUBLIC_KEY_HEAD) || publicKey.length !== 32) {
    throw new CertificateError("the certificate's host key is not an Ed25519 key");
  }
  if (!keys.verify(publicKey, Buffer.concat([SIGNATURE_PREFIX, parsed.spki]), signature)) {
    throw new CertificateError("the certificate's host key has not signed it");
  }
  return keys.peerOf(publicKey);
}

function bitString(value: DerValue): Uint8Array {
  if (value.content[0] !== 0) throw new DerError("a signature with unused bits");
  return value.content.subarray(1);
}

/** UTCTime `YYMMDDhhmmssZ` (1950 to 2049) or GeneralizedTime `YYYYMMDDhhmmssZ`. */
function timeMs(value: DerValue): number {
  const text = new TextDecoder().decode(value.content);
  const isShort = value.tag === TAG.utcTime;
  if (!isShort && value.tag !== TAG.generalizedTime) throw new DerError("a time of another type");
  if (!(isShort ? /^\d{12}Z$/ : /^\d{14}Z$/).test(text)) throw new DerError("a malformed time");
  const full = isShort ? `${Number(text.slice(0, 2)) < 50 ? "20" : "19"}${text}` : text;
  const [month, day, hour, minute, second] = [4, 6, 8, 10, 12].map((at) => Number(full.slice(at, at + 2)));
  return Date.UTC(Number(full.slice(0, 4)), (month ?? 1) - 1, day, hour, minute, second);
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
