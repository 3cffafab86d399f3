/** What the state holds, one schema a record: the types of the running state and the rows of a snapshot. */
import * as v from "valibot";
import { certificateFacts, role } from "../admission/facts.ts";
import * as f from "../fields.ts";
import { jobId, jobState, settingKey } from "./command.ts";

export const clusterRecord = v.object({
  id: f.clusterId,
  name: v.string(),
  createdAtMs: f.count,
  activeKeyId: f.keyId,
});
export type ClusterRecord = Readonly<v.InferOutput<typeof clusterRecord>>;

export const keyRecord = v.object({ keyId: f.keyId, publicKey: f.key32, privateKey: f.key32, createdAtMs: f.count });
export type KeyRecord = Readonly<v.InferOutput<typeof keyRecord>>;

export const memberEntry = v.object({
  info: f.memberInfo,
  admittedAtMs: f.count,
  /** By which it joined last; null when without one. */
  tokenId: v.nullable(f.tokenId),
  /** The newest one. */
  certificate: certificateFacts,
});
export type MemberEntry = Readonly<v.InferOutput<typeof memberEntry>>;

export const clientEntry = v.object({ certificate: certificateFacts, admittedAtMs: f.count, tokenId: f.tokenId });
export type ClientEntry = Readonly<v.InferOutput<typeof clientEntry>>;

export const tokenRecord = v.object({
  tokenId: f.tokenId,
  role,
  keyId: f.keyId,
  expiresAtMs: f.count,
  usesMax: f.count,
  used: f.count,
  isRevoked: v.boolean(),
  createdAtMs: f.count,
  createdBy: v.string(),
});
export type TokenRecord = Readonly<v.InferOutput<typeof tokenRecord>>;

/** No certificate of `peer` up to `serial` is valid. */
export const revokedPeer = v.object({ peer: f.peerId, serial: f.count, atMs: f.count, expiresAtMs: f.count });
export type RevokedPeer = Readonly<v.InferOutput<typeof revokedPeer>>;

export const revokedSerial = v.object({ serial: f.positive, peer: f.peerId, atMs: f.count, expiresAtMs: f.count });
export type RevokedSerial = Readonly<v.InferOutput<typeof revokedSerial>>;

/** `version` is the log index of the last change: it never repeats, also after a delete. */
export const settingRecord = v.object({ key: settingKey, value: v.string(), version: f.positive });
export type SettingRecord = Readonly<v.InferOutput<typeof settingRecord>>;

const jobStep = v.object({ state: jobState, attempt: f.positive, atMs: f.count, reason: v.string() });
export type JobStep = Readonly<v.InferOutput<typeof jobStep>>;

export const jobRecord = v.object({
  jobId,
  /** Short number for people, counts up through the life of the cluster. */
  number: f.positive,
  name: v.string(),
  state: jobState,
  attempt: f.positive,
  blobs: v.array(f.blobHash),
  options: f.bytes,
  /** What the JobManager wants to know again, such as which blob is what; opaque. */
  notes: f.bytes,
  createdBy: v.string(),
  createdAtMs: f.count,
  /** Log index of the last move. */
  movedAtIndex: f.positive,
  /** Highest term of the JobManagers that have moved it. */
  term: v.optional(f.count),
  /** The newest steps, oldest first. */
  history: v.array(jobStep),
});
export type JobRecord = Readonly<v.InferOutput<typeof jobRecord>>;

export const blobRecord = v.object({
  hash: f.blobHash,
  blobBytes: f.positive,
  /** Hashes of its chunks, in order: under these the store has the content. */
  chunks: v.array(f.blobHash),
  /** Jobs that hold it. */
  refCount: f.count,
  /** It came with a job, and goes with the last one that holds it. */
  isInline: v.boolean(),
  /** When the last job let go of it, or it came. */
  idleSinceMs: f.count,
});
export type BlobRecord = Readonly<v.InferOutput<typeof blobRecord>>;

export const uploadRecord = v.object({
  hash: f.blobHash,
  blobBytes: f.positive,
  chunks: v.array(f.blobHash),
  /** Log index and time of the last chunk. */
  index: f.positive,
  atMs: f.count,
});
export type UploadRecord = Readonly<v.InferOutput<typeof uploadRecord>>;

export const auditEntry = v.object({
  index: f.positive,
  atMs: f.count,
  peer: v.string(),
  name: v.string(),
  role: v.string(),
  kind: v.string(),
  /** What it was about: a peer, a token, a key, a job. */
  subject: v.string(),
  /** "ok", or the code of the refusal. */
  outcome: v.string(),
});
export type AuditEntry = Readonly<v.InferOutput<typeof auditEntry>>;
