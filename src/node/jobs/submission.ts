/** What the log keeps of a job's submission, and what its JobManagers note for each other. */
import * as v from "valibot";
import type { MachineSettings, Prepared } from "../../jobs/mod.ts";
import type { BlobHash } from "../../kernel/mod.ts";
import {
  blobHash,
  decodeValue,
  encodeValue,
  type JobOptions,
  jobOptions,
  list,
  parse,
  peerId,
  taskRun,
} from "../../protocol/mod.ts";
import { END_NOTES, type EndNotes } from "./end_notes.ts";

const SUBMISSION = v.object({
  version: v.literal(1),
  plan: blobHash,
  bundle: v.nullable(blobHash),
  options: jobOptions,
});
const PREPARED = v.object({
  attempt: v.pipe(v.number(), v.integer(), v.minValue(1)),
  runs: list(v.object({ ...taskRun.entries, peer: peerId }), 1_024),
});
const NOTES = v.object({
  version: v.literal(1),
  outline: blobHash,
  plan: blobHash,
  text: blobHash,
  end: v.optional(END_NOTES),
  prepared: v.optional(PREPARED),
});

/** What one move may note of prepared sinks; of more nothing is noted, and their agents have to be there. */
const PREPARED_BYTES_MAX = 3_072;

export interface Submission {
  /** Logical plan. */
  readonly plan: BlobHash;
  readonly bundle: BlobHash | null;
  readonly options: JobOptions;
}

/** Where what the compiler made is kept. */
export interface Notes {
  readonly outline: BlobHash;
  /** Physical plan. */
  readonly plan: BlobHash;
  readonly text: BlobHash;
  /** How the attempt went that ended last. */
  readonly end?: EndNotes | undefined;
  /** What the sinks of an attempt that finishes have prepared. */
  readonly prepared?: PreparedNotes | undefined;
}

export interface PreparedNotes {
  readonly attempt: number;
  readonly runs: readonly Prepared[];
}

export function encodeSubmission({ plan, bundle, options }: Submission): Uint8Array {
  return encodeValue({ version: 1, plan, bundle, options });
}

/** @throws {ProtocolError} when it is none */
export function decodeSubmission(bytes: Uint8Array): Submission {
  return parse(SUBMISSION, decodeValue(bytes), "what the log keeps of a job");
}

export function encodeNotes({ outline, plan, text, end, prepared }: Notes): Uint8Array {
  const more = { ...(end === undefined ? {} : { end }), ...(prepared === undefined ? {} : { prepared }) };
  return encodeValue({ version: 1, outline, plan, text, ...more });
}

/** How an earlier attempt ended is left out: the end of this one is near. */
export function withPrepared({ outline, plan, text }: Notes, prepared: PreparedNotes): Notes | null {
  if (encodeValue(prepared).length > PREPARED_BYTES_MAX) return null;
  return { outline, plan, text, prepared };
}

/** Null when nothing was noted. @throws {ProtocolError} */
export function decodeNotes(bytes: Uint8Array): Notes | null {
  return bytes.length === 0 ? null : parse(NOTES, decodeValue(bytes), "what was noted of a job");
}

export function settingsOf({ options }: Submission): Partial<MachineSettings> {
  const { strategy, taskMemoryBytes, taskRetriesMax, restartsMax } = options;
  return { strategy, taskMemoryBytes, taskRetriesMax, restartsMax };
}
