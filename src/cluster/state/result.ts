import * as v from "valibot";
import type { BlobHash } from "../../kernel/mod.ts";
import { certificateFacts } from "../admission/facts.ts";
import * as f from "../fields.ts";
import type { Actor, Command, CommandKind, RequestId } from "./command.ts";

const REFUSALS = [
  /** Not a command of its format. */
  "malformed",
  /** Proposed in another format than the cluster is at. */
  "format",
  "no-cluster",
  "cluster-exists",
  /** The role does not reach. */
  "forbidden",
  "not-found",
  /** The same name, peer or id is there already, or means something else. */
  "conflict",
  /** A setting or job is not as the proposer believed. */
  "stale",
  "illegal-move",
  "in-use",
  "limit",
  "token-expired",
  "token-used",
  "token-revoked",
  "token-role",
  "revoked",
  /** A member runs software that cannot apply the format. */
  "too-old",
  /** Content is not what its hash, size or place says. */
  "bad-blob",
  /** Whether an earlier copy was applied can no longer be told. */
  "session-expired",
] as const;
export type RefusalCode = (typeof REFUSALS)[number];

const commandValue = v.variant("type", [
  v.object({ type: v.literal("none") }),
  v.object({ type: v.literal("certificate"), certificate: certificateFacts }),
  v.object({ type: v.literal("version"), version: f.count }),
  /** What was made or taken out: one that comes again is told of the first. */
  v.object({ type: v.literal("id"), id: v.string() }),
  v.object({ type: v.literal("job"), number: f.positive, attempt: f.positive }),
]);
/** What an applied command gives back; see `Command` for which. */
export type CommandValue = Readonly<v.InferOutput<typeof commandValue>>;

export const outcome = v.variant("ok", [
  v.object({ ok: v.literal(true), value: commandValue }),
  v.object({ ok: v.literal(false), code: v.picklist(REFUSALS), message: v.string() }),
]);
/** All replicas have the same. */
export type Outcome = Readonly<v.InferOutput<typeof outcome>>;

/** Work for the store, to be done before the index counts as applied; doing it again does no harm. */
export type Effect =
  | { readonly kind: "putBlob"; readonly hash: BlobHash; readonly bytes: Uint8Array }
  | { readonly kind: "dropBlob"; readonly hash: BlobHash };

export interface ApplyResult {
  readonly index: number;
  /** Null when the entry could not be read so far. */
  readonly kind: CommandKind | null;
  readonly command: Command | null;
  readonly request: RequestId | null;
  readonly by: Actor | null;
  /** The outcome is that of an earlier copy. */
  readonly isRepeated: boolean;
  readonly outcome: Outcome;
  readonly effects: readonly Effect[];
}

export const NOTHING: Outcome = Object.freeze({ ok: true, value: Object.freeze({ type: "none" }) });

export function refuse(code: RefusalCode, message: string): Extract<Outcome, { ok: false }> {
  return { ok: false, code, message };
}

export function give(value: CommandValue): Outcome {
  return { ok: true, value };
}
