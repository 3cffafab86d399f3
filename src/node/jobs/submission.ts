/** What the log keeps of a job's submission, and what its JobManagers note for each other. */
import * as v from "valibot";
import type { MachineSettings } from "../../jobs/mod.ts";
import type { BlobHash } from "../../kernel/mod.ts";
import { blobHash, decodeValue, encodeValue, type JobOptions, jobOptions, parse } from "../../protocol/mod.ts";
import { END_NOTES, type EndNotes } from "./end_notes.ts";

const SUBMISSION = v.object({
  version: v.literal(1),
  plan: blobHash,
  bundle: v.nullable(blobHash),
  options: jobOptions,
});
const NOTES = v.object({
  version: v.literal(1),
  outline: blobHash,
  plan: blobHash,
  text: blobHash,
  end: v.optional(END_NOTES),
});

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
}

export function encodeSubmission({ plan, bundle, options }: Submission): Uint8Array {
  return encodeValue({ version: 1, plan, bundle, options });
}

/** @throws {ProtocolError} when it is none */
export function decodeSubmission(bytes: Uint8Array): Submission {
  return parse(SUBMISSION, decodeValue(bytes), "what the log keeps of a job");
}

export function encodeNotes({ outline, plan, text, end }: Notes): Uint8Array {
  return encodeValue({ version: 1, outline, plan, text, ...(end === undefined ? {} : { end }) });
}

/** Null when nothing was noted. @throws {ProtocolError} */
export function decodeNotes(bytes: Uint8Array): Notes | null {
  return bytes.length === 0 ? null : parse(NOTES, decodeValue(bytes), "what was noted of a job");
}

export function settingsOf({ options }: Submission): Partial<MachineSettings> {
  const { strategy, taskMemoryBytes, taskRetriesMax, restartsMax } = options;
  return { strategy, taskMemoryBytes, taskRetriesMax, restartsMax };
}
