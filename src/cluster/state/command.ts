/**
 * What may stand in the log: a closed union, each command in an envelope that says who asked for it, when, and how to
 * recognise it when it comes again.
 *
 * An entry is one byte, the format, and then a value. What a format means never changes: same bytes, same effect, on
 * every version that knows it. New commands, fields and limits come with a higher format (see the README).
 */
import * as v from "valibot";
import { JOB_STATES } from "../../jobs/mod.ts";
import { type BlobHash, isJobName, type PeerId } from "../../kernel/mod.ts";
import { role } from "../admission/facts.ts";
import { ROLE_NAMES, type Role } from "../admission/roles.ts";
import { encodeValue } from "../codec.ts";
import * as f from "../fields.ts";
import { StateError } from "./error.ts";
import * as limits from "./limits.ts";

/** Newest command format that this software can apply. */
export const FORMAT_MAX = 1;

export const jobId = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/));
export const jobState = v.picklist(JOB_STATES);
export const settingKey = v.pipe(v.string(), v.maxLength(limits.SETTING_KEY_CHARS_MAX), v.regex(/^[!-~]+$/));
const jobName = v.pipe(v.string(), v.check(isJobName));
const attempt = v.pipe(f.positive, v.maxValue(1_000_000));
/** Version that a setting must have now: 0 for none at all, null for any. */
const expectedVersion = v.nullable(f.count);

/** Blobs that travel in the command itself; the job holds them, and they go with the last job that does. */
const parts = v.optional(
  v.pipe(
    v.array(v.object({ hash: f.blobHash, bytes: v.pipe(f.bytesTo(limits.PART_BYTES_MAX), v.minLength(1)) })),
    v.maxLength(limits.PARTS_MAX),
    v.check((all) => all.reduce((sum, { bytes }) => sum + bytes.length, 0) <= limits.PARTS_BYTES_MAX),
  ),
);
export type Part = { readonly hash: BlobHash; readonly bytes: Uint8Array };

const clusterKey = { keyId: f.keyId, publicKey: f.key32, privateKey: f.key32 };

const COMMANDS = {
  /** First command of a cluster: its identity, its key, and its first member. */
  "cluster.create": v.object({
    kind: v.literal("cluster.create"),
    cluster: f.clusterId,
    name: f.name,
    ...clusterKey,
    member: f.memberInfo,
  }),
  /** Raises the format of the commands that follow; refused while a member cannot apply it. */
  "cluster.upgrade": v.object({ kind: v.literal("cluster.upgrade"), format: v.pipe(f.positive, v.maxValue(255)) }),
  /** A node becomes a member, by a use of a token; by an administrator's word when `tokenId` is null. */
  "member.admit": v.object({
    kind: v.literal("member.admit"),
    tokenId: v.nullable(f.tokenId),
    member: f.memberInfo,
  }),
  "member.update": v.object({ kind: v.literal("member.update"), member: f.memberInfo }),
  /** Ends a membership and all of the member's certificates. */
  "member.remove": v.object({ kind: v.literal("member.remove"), peer: f.peerId, reason: f.reason }),
  "token.create": v.object({
    kind: v.literal("token.create"),
    tokenId: f.tokenId,
    role,
    expiresAtMs: f.count,
    uses: v.pipe(f.positive, v.maxValue(limits.TOKEN_USES_MAX)),
    keyId: f.keyId,
  }),
  /** A client becomes known, with the token's role. Nodes use tokens by `member.admit`. */
  "token.use": v.object({ kind: v.literal("token.use"), tokenId: f.tokenId, peer: f.peerId, name: f.name }),
  "token.revoke": v.object({ kind: v.literal("token.revoke"), tokenId: f.tokenId }),
  /** The new key signs from now on; the old ones stay valid until they are retired. */
  "key.rotate": v.object({ kind: v.literal("key.rotate"), ...clusterKey }),
  /** Refused while certificates or tokens in force were made with the key, unless forced. */
  "key.retire": v.object({ kind: v.literal("key.retire"), keyId: f.keyId, isForced: v.boolean() }),
  /** A new certificate for a member or client that has one. */
  "certificate.renew": v.object({ kind: v.literal("certificate.renew"), peer: f.peerId }),
  /** One certificate, or with `serial` null all that the peer has now. */
  "certificate.revoke": v.object({
    kind: v.literal("certificate.revoke"),
    peer: f.peerId,
    serial: v.nullable(f.positive),
    reason: f.reason,
  }),
  "setting.set": v.object({
    kind: v.literal("setting.set"),
    key: settingKey,
    value: v.pipe(v.string(), v.maxLength(limits.SETTING_VALUE_CHARS_MAX)),
    expectedVersion,
  }),
  "setting.delete": v.object({ kind: v.literal("setting.delete"), key: settingKey, expectedVersion }),
  /** The same again, under whatever request, is answered with the job that is there. */
  "job.create": v.object({
    kind: v.literal("job.create"),
    jobId,
    name: jobName,
    /** Plan, bundle and whatever else the job needs: held for as long as the job is known. */
    blobs: v.pipe(v.array(f.blobHash), v.maxLength(limits.JOB_BLOBS_MAX)),
    parts,
    /** Opaque here. */
    options: f.bytesTo(limits.JOB_OPTIONS_BYTES_MAX),
  }),
  /** One step by the table, or several at once; refused unless the job is where, and in the attempt, that the proposer believes. */
  "job.move": v.object({
    kind: v.literal("job.move"),
    jobId,
    from: jobState,
    attempt,
    to: jobState,
    /** States that it went through on its way, and how long ago; each step by the table. */
    via: v.optional(v.pipe(v.array(v.object({ state: jobState, agoMs: f.count })), v.maxLength(limits.JOB_VIA_MAX))),
    reason: f.reason,
    /** Of the JobManager that proposes; refused once a later one has moved the job. */
    term: v.optional(f.count),
    /** What the job holds from now on besides. */
    blobs: v.optional(v.pipe(v.array(f.blobHash), v.maxLength(limits.JOB_BLOBS_MAX))),
    parts,
    /** For later JobManagers, opaque here; replaces what was noted before. */
    notes: v.optional(f.bytesTo(limits.JOB_NOTES_BYTES_MAX)),
  }),
  "job.delete": v.object({ kind: v.literal("job.delete"), jobId }),
  /** Next part of a blob, in order. Repeating one that is there does nothing. */
  "blob.chunk": v.object({
    kind: v.literal("blob.chunk"),
    hash: f.blobHash,
    blobBytes: v.pipe(f.positive, v.maxValue(limits.BLOB_BYTES_MAX)),
    offset: f.count,
    bytes: v.pipe(f.bytes, v.minLength(1), v.maxLength(limits.CHUNK_BYTES_MAX)),
  }),
  /** All parts are there. The proposer has compared the whole with its hash. */
  "blob.commit": v.object({ kind: v.literal("blob.commit"), hash: f.blobHash }),
  /** Forgets a blob that no job holds, or one that is still being sent. */
  "blob.drop": v.object({ kind: v.literal("blob.drop"), hash: f.blobHash }),
};

export type CommandKind = keyof typeof COMMANDS;
export type CommandOf<Kind extends CommandKind> = Readonly<v.InferOutput<(typeof COMMANDS)[Kind]>>;
export type Command = { [Kind in CommandKind]: CommandOf<Kind> }[CommandKind];
/** Object.keys forgets the type that the table has. */
export const COMMAND_KINDS: readonly CommandKind[] = Object.keys(COMMANDS) as CommandKind[];

/** Who asked: the peer whose credential was checked, also when a node proposes for it. */
export interface Actor {
  readonly peer: PeerId;
  readonly name: string;
  readonly role: Role;
}

export interface RequestId {
  /** Random text, chosen by whoever retries. */
  readonly session: string;
  /** Counts up by one per request of the session; a retry has the same. */
  readonly sequence: number;
  /** Answers up to this sequence have arrived and may be forgotten. */
  readonly answeredTo: number;
  /** Index that the session's owner knew as applied when it began the session; see `sessions.ts`. */
  readonly since: number;
}

interface Header {
  readonly by: Actor;
  /** Wall clock of the leader that proposed. */
  readonly atMs: number;
  readonly request: RequestId;
}

export interface Envelope extends Header {
  readonly command: Command;
}

/** Why an entry is not a command of its format; `header` when at least that is readable. */
interface Unreadable {
  readonly header: Header | null;
  readonly kind: string;
  readonly reason: string;
}

const OPTIONS = { abortEarly: true, abortPipeEarly: true } as const;

function problem(issues: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]]): string {
  return v.getDotPath(issues[0]) ?? "value";
}

function isKind(kind: string): kind is CommandKind {
  return Object.hasOwn(COMMANDS, kind);
}

/** The header's fields in their order in an entry; the command follows. Lists, and no names, for the sake of speed. */
type HeaderFields = [
  peer: unknown,
  name: unknown,
  role: unknown,
  atMs: unknown,
  session: unknown,
  sequence: unknown,
  answeredTo: unknown,
  since: unknown,
];
const HEADER_FIELDS = 8;
const SESSION = /^[A-Za-z0-9_-]{8,64}$/;

/** Whole numbers of at least `min`. */
function isCount(value: unknown, min: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min; // a safe integer is a number
}

function isRole(value: unknown): value is Role {
  return ROLE_NAMES.some((role) => role === value);
}

/** The actor that was read last: most commands come from the same few, and comparing is cheaper than matching. */
let lastActor: Actor | null = null;

function readActor(peer: unknown, name: unknown, role: unknown): Actor | null {
  if (lastActor?.peer === peer && lastActor?.name === name && lastActor?.role === role) return lastActor;
  if (!v.is(f.peerId, peer) || !v.is(f.name, name) || !isRole(role)) return null;
  lastActor = { peer: peer as PeerId, name, role }; // the pattern has just held
  return lastActor;
}

/** Every command passes here, so it is written out; the schemas are for the commands. */
function readHeader(fields: HeaderFields): Header | null {
  const [peer, name, role, atMs, session, sequence, answeredTo, since] = fields;
  const by = readActor(peer, name, role);
  if (by === null || !isCount(atMs, 0)) return null;
  if (typeof session !== "string" || !SESSION.test(session)) return null;
  if (!isCount(sequence, 1) || !isCount(answeredTo, 0) || !isCount(since, 0)) return null;
  return { by, atMs, request: { session, sequence, answeredTo, since } };
}

/** Reads a decoded entry of a format up to `FORMAT_MAX`. */
export function readEnvelope(value: unknown): Envelope | Unreadable {
  const header = Array.isArray(value) ? readHeader(value as HeaderFields) : null; // elements are unknown
  if (header === null) return { header, kind: "unknown", reason: "its header is wrong" };
  const raw: unknown = (value as unknown[])[HEADER_FIELDS];
  const kind = typeof raw === "object" && raw !== null && "kind" in raw ? raw.kind : null;
  if (typeof kind !== "string" || !isKind(kind)) return { header, kind: "unknown", reason: "its kind is unknown" };
  const command = v.safeParse(COMMANDS[kind], raw, OPTIONS);
  if (!command.success) return { header, kind, reason: `field ${problem(command.issues)} of ${kind} is wrong` };
  const { by, atMs, request } = header;
  return { by, atMs, request, command: command.output };
}

/**
 * An entry for the log.
 *
 * @throws {StateError} bad-command, when it is over a limit or not as its schema says: it would only be refused
 */
export function encodeCommand(envelope: Envelope, format: number): Uint8Array {
  const { by, atMs, request, command } = envelope;
  const { session, sequence, answeredTo, since } = request;
  const header: HeaderFields = [by.peer, by.name, by.role, atMs, session, sequence, answeredTo, since];
  const fields = [...header, command];
  const read = readEnvelope(fields);
  if ("reason" in read) {
    throw new StateError("bad-command", `Cannot propose ${read.kind}: ${read.reason}. See the limits of commands.`);
  }
  const value = encodeValue(fields);
  const bytes = new Uint8Array(value.length + 1);
  bytes[0] = format;
  bytes.set(value, 1);
  return bytes;
}
