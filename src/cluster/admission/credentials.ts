/** The credentials file of a client: all that it takes to reach a cluster. Contains a private key. */
import * as v from "valibot";
import type { Address, ClusterId, KeyPair, Keys } from "../../kernel/mod.ts";
import { ADDRESSES_MAX, address, clusterId, name } from "../fields.ts";
import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { type Certificate, decodeCertificate } from "./certificate.ts";
import { AdmissionError } from "./error.ts";

export const CREDENTIALS_CHARS_MAX = 65_536;

export interface Credentials {
  readonly name: string;
  readonly cluster: ClusterId;
  /** Nodes to try, best first. */
  readonly addresses: readonly Address[];
  readonly key: KeyPair;
  /** As shown to nodes; `decodeCertificate` reads it. */
  readonly certificate: Uint8Array;
}

const file = v.object({
  version: v.literal(1),
  name,
  cluster: clusterId,
  addresses: v.pipe(v.array(address), v.minLength(1), v.maxLength(ADDRESSES_MAX)),
  privateKey: v.string(),
  certificate: v.string(),
});

export function encodeCredentials(credentials: Credentials): string {
  const { name, cluster, addresses, key, certificate } = credentials;
  const fields: v.InferOutput<typeof file> = {
    version: 1,
    name,
    cluster,
    addresses: [...addresses],
    privateKey: encodeBase64url(key.privateKey),
    certificate: encodeBase64url(certificate),
  };
  return `${JSON.stringify(fields, null, 2)}\n`;
}

function malformed(why: string): AdmissionError {
  return new AdmissionError(
    "malformed",
    `Cannot use the credentials file: ${why}. Create a new one with: sage token create --role submit`,
  );
}

function parseFile(text: string): v.InferOutput<typeof file> {
  if (text.length > CREDENTIALS_CHARS_MAX) throw malformed(`it has more than ${CREDENTIALS_CHARS_MAX} characters`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed("it is not valid JSON");
  }
  const parsed = v.safeParse(file, value);
  if (!parsed.success) throw malformed(`field ${v.getDotPath(parsed.issues[0]) ?? "all"} is wrong`);
  return parsed.output;
}

/**
 * Checks that the parts belong together, not that the certificate is in force: nodes judge that.
 *
 * @throws {AdmissionError} malformed, wrong-cluster, stolen
 */
export function decodeCredentials(keys: Keys, text: string): Credentials & { readonly facts: Certificate } {
  const { name, cluster, addresses, ...rest } = parseFile(text);
  const privateKey = decodeBase64url(rest.privateKey);
  const certificate = decodeBase64url(rest.certificate);
  if (privateKey?.length !== 32) throw malformed("its private key is damaged");
  const facts = certificate === null ? null : decodeCertificate(certificate);
  const publicKey = facts === null ? null : keys.publicKeyOf(facts.peer);
  if (certificate === null || facts === null || publicKey === null) throw malformed("its certificate is damaged");
  if (facts.cluster !== cluster) {
    throw new AdmissionError(
      "wrong-cluster",
      "Cannot use the credentials file: its certificate is of another cluster.",
    );
  }
  const key = { publicKey, privateKey };
  const probe = new TextEncoder().encode("sage/credentials/1\n");
  if (!keys.verify(publicKey, probe, keys.sign(key, probe))) {
    throw new AdmissionError("stolen", "Cannot use the credentials file: its certificate belongs to another key.");
  }
  return { name, cluster, addresses, key, certificate, facts };
}
