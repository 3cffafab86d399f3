/**
 * What an executor shows to prove where it belongs: the certificate of the node that started it, and that node's word
 * for the executor's key and job. A node vouches for its executors only; the word ends soon and with the certificate.
 *
 * Format: msgpack of {certificate, peer, jobId, expiresAtMs}, then 64 bytes of Ed25519 signature by the node's key over
 * `sage/executor/1\n` and the payload. The certificate is one of admission: msgpack, then a signature by a cluster key.
 */
import * as v from "valibot";
import type { ClusterId, KeyPair, Keys, PeerId } from "../kernel/mod.ts";
import { jobId } from "./methods/job.ts";
import { bytes, clusterId, integer, peerId, text } from "./schema.ts";
import { decodeValue, encodeValue } from "./value.ts";

/** How long a node vouches for an executor at a time. */
export const EXECUTOR_CREDENTIAL_TTL_MS = 7 * 86_400_000;
export const EXECUTOR_CREDENTIAL_BYTES_MAX = 2_048;
/** As for certificates: clocks of nodes may differ by this much. */
const CLOCK_TOLERANCE_MS = 120_000;
const SIGNATURE_BYTES = 64;
const CERTIFICATE_PURPOSE = "certificate";
const EXECUTOR_PURPOSE = "executor";

const payload = v.object({
  certificate: bytes(1_024),
  peer: peerId,
  /** The job that it runs; null: it runs no code of jobs, and may read of any. */
  jobId: v.nullable(jobId),
  expiresAtMs: integer(),
});

/** The part of a certificate that counts here. */
const certificatePart = v.object({
  cluster: clusterId,
  peer: peerId,
  role: text(32),
  keyId: text(64),
  expiresAtMs: integer(),
});

export interface ExecutorCredential {
  readonly peer: PeerId;
  /** Null: it runs no code of jobs. */
  readonly jobId: string | null;
  /** Node that vouches for it. */
  readonly node: PeerId;
  readonly expiresAtMs: number;
}

/** What a node says of its executor, signed with the node's own key. */
export function encodeExecutorCredential(
  keys: Keys,
  identity: KeyPair,
  fields: {
    readonly certificate: Uint8Array;
    readonly peer: PeerId;
    readonly jobId: string | null;
    readonly expiresAtMs: number;
  },
): Uint8Array {
  const { certificate, peer, jobId: job, expiresAtMs } = fields;
  const body = encodeValue({ certificate, peer, jobId: job, expiresAtMs: Math.floor(expiresAtMs) });
  const signature = keys.sign(identity, signed(EXECUTOR_PURPOSE, body));
  const encoded = new Uint8Array(body.length + SIGNATURE_BYTES);
  encoded.set(body);
  encoded.set(signature, body.length);
  return encoded;
}

export interface ExecutorJudgeFacts {
  readonly cluster: ClusterId;
  /** The cluster's. */
  readonly keys: readonly { readonly keyId: string; readonly publicKey: Uint8Array }[];
  /** Wall clock. */
  readonly nowMs: number;
}

export type ExecutorVerdict =
  | { readonly ok: true; readonly credential: ExecutorCredential }
  | { readonly ok: false; readonly reason: string };

function no(reason: string): ExecutorVerdict {
  return { ok: false, reason };
}

/** Judges what `peer`, whose key the transport has verified, shows as an executor of the cluster. */
export function judgeExecutorCredential(
  keys: Keys,
  shown: { readonly peer: PeerId; readonly credential: Uint8Array },
  facts: ExecutorJudgeFacts,
): ExecutorVerdict {
  const outer = open(payload, shown.credential, EXECUTOR_CREDENTIAL_BYTES_MAX);
  const certificate = outer === null ? null : open(certificatePart, outer.value.certificate, 1_024);
  if (outer === null || certificate === null) return no("the credential is none of an executor");
  const { peer, jobId: job, expiresAtMs } = outer.value;
  const { cluster, peer: node, role, keyId, expiresAtMs: certificateEndsMs } = certificate.value;
  if (cluster !== facts.cluster) return no(`its node is of cluster ${cluster}, this is cluster ${facts.cluster}`);
  const clusterKey = facts.keys.find((key) => key.keyId === keyId);
  if (clusterKey === undefined) return no(`the cluster has no key ${keyId}`);
  if (!keys.verify(clusterKey.publicKey, signed(CERTIFICATE_PURPOSE, certificate.body), certificate.signature)) {
    return no("the signature of its node's certificate does not hold");
  }
  if (role !== "node") return no(`${node} is a ${role}: only nodes have executors`);
  const nodeKey = keys.publicKeyOf(node);
  if (nodeKey === null || !keys.verify(nodeKey, signed(EXECUTOR_PURPOSE, outer.body), outer.signature)) {
    return no("its node's signature does not hold");
  }
  if (peer !== shown.peer) return no(`the credential belongs to ${peer}, and ${shown.peer} shows it`);
  const endsMs = Math.min(expiresAtMs, certificateEndsMs);
  if (facts.nowMs - CLOCK_TOLERANCE_MS >= endsMs) return no("the credential has expired; check the clocks");
  return { ok: true, credential: { peer, jobId: job, node, expiresAtMs: endsMs } };
}

/** Whether an executor may read and give partitions of the job. */
export function mayExchange(credential: Pick<ExecutorCredential, "jobId">, job: string): boolean {
  return credential.jobId === null || credential.jobId === job;
}

function signed(purpose: string, body: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`sage/${purpose}/1\n`);
  const message = new Uint8Array(head.length + body.length);
  message.set(head);
  message.set(body, head.length);
  return message;
}

function open<Schema extends v.GenericSchema>(schema: Schema, encoded: Uint8Array, bytesMax: number) {
  const at = encoded.length - SIGNATURE_BYTES;
  if (at <= 0 || encoded.length > bytesMax) return null;
  const body = encoded.subarray(0, at);
  let value: unknown;
  try {
    value = decodeValue(body);
  } catch {
    return null;
  }
  const parsed = v.safeParse(schema, value);
  return parsed.success ? { value: parsed.output, body, signature: encoded.subarray(at) } : null;
}
