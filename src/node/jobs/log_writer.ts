/** Brings a job's moves into the log, with what the compiler has made. */
import {
  CHUNK_BYTES_MAX,
  type Command,
  ConsensusError,
  type JobRecord,
  PART_BYTES_MAX,
  PARTS_BYTES_MAX,
} from "../../cluster/mod.ts";
import { type Action, canMove, finalReason, isEnded } from "../../jobs/mod.ts";
import type { Clock, Log } from "../../kernel/mod.ts";
import type { Replica } from "../replica.ts";
import type { Made, Part } from "./compiler.ts";
import type { Asker, JobDriver } from "./driver.ts";
import { endNotesOf } from "./end_notes.ts";
import { pause } from "./pause.ts";
import { encodeNotes, withPrepared } from "./submission.ts";

export interface LogWriterOptions {
  /** Of the JobManager: moves of an earlier one come to nothing once it has made one. */
  readonly term: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly replica: Replica;
  readonly propose: (command: Command, asker: Asker | null) => ReturnType<Replica["propose"]>;
  readonly isStopped: () => boolean;
}

type Move = Extract<Action, { kind: "move" }>;

const RETRY_MS = 500;
/** Content that another job held too may go with that job, just before this one takes hold of it. */
const GONE_MAX = 5;

export class LogWriter {
  readonly #options: LogWriterOptions;

  constructor(options: LogWriterOptions) {
    this.#options = options;
  }

  /** Until the log has moved the job, this way or another; the job learns of it when that is applied. */
  async move(
    driver: JobDriver,
    action: Move,
    of: { readonly made: Made | null; readonly asker: Asker | null },
  ): Promise<void> {
    const { isStopped, log, clock } = this.#options;
    let step = action;
    let carried = of.made;
    let { asker } = of;
    let goneCount = 0;
    while (!isStopped() && this.#isAt(driver.jobId, action)) {
      try {
        const outcome = await this.#propose(driver, step, { made: carried, asker });
        if (outcome.ok) return;
        // Under the asker's name the log would answer the same again.
        asker = null;
        const { code, message } = outcome;
        const { to } = step;
        // The state here is without it by now: the next try brings it along.
        if (code === "not-found" && carried !== null && goneCount++ < GONE_MAX) continue;
        log.write("warn", "job not moved", { job: driver.number, to, code, reason: message });
        if (code !== "stale" && canMove(action.from, "failing")) {
          // What the log will not take makes the job fail, with the log's reason.
          const { kind, from, attempt } = action;
          step = { kind, from, to: "failing", attempt, reason: finalReason(message) };
          carried = null;
        }
        if (code === "stale") break;
      } catch (error) {
        const level = error instanceof ConsensusError ? "debug" : "error";
        log.write(level, "job not moved", { job: driver.number, to: action.to, reason: String(error) });
      }
      await pause(clock, RETRY_MS);
    }
    const record = this.#record(driver.jobId);
    // What has moved it was applied here, but maybe before the driver was made.
    if (!isStopped() && record !== undefined) driver.moved(record);
  }

  #record(jobId: string): JobRecord | undefined {
    return this.#options.replica.state.jobs.get(jobId);
  }

  #isAt(jobId: string, { from, attempt }: Move): boolean {
    const record = this.#record(jobId);
    return record !== undefined && record.state === from && record.attempt === attempt;
  }

  async #propose(
    driver: JobDriver,
    action: Move,
    { made, asker }: { readonly made: Made | null; readonly asker: Asker | null },
  ) {
    const { term, propose } = this.#options;
    const { jobId } = driver;
    const { from, to, attempt, reason, via = [] } = action;
    const nowMs = this.#options.clock.nowMs();
    const steps = via.map(({ state, sinceMs }) => ({ state, agoMs: Math.max(0, Math.round(nowMs - sinceMs)) }));
    const way = steps.length === 0 ? {} : { via: steps };
    const move = { kind: "job.move", jobId, from, to, attempt, reason, term, ...way } as const;
    if (made === null) return propose({ ...move, ...notesOf(driver, action) }, asker);
    const notes = encodeNotes(made.notes);
    const { state } = this.#options.replica;
    const missing = made.parts.filter(({ hash }) => !state.blobs.has(hash));
    const bytes = missing.reduce((sum, part) => sum + part.bytes.length, 0);
    if (bytes <= PARTS_BYTES_MAX && missing.every((part) => part.bytes.length <= PART_BYTES_MAX)) {
      const blobs = made.parts.filter((part) => !missing.includes(part)).map(({ hash }) => hash);
      return propose({ ...move, notes, blobs, parts: missing }, asker);
    }
    for (const part of missing) await this.#put(part);
    const blobs = [...new Set(made.parts.map(({ hash }) => hash))];
    return propose({ ...move, notes, blobs }, asker);
  }

  async #put({ hash, bytes }: Part): Promise<void> {
    const blobBytes = bytes.length;
    for (let offset = 0; offset < blobBytes; offset += CHUNK_BYTES_MAX) {
      const chunk = bytes.slice(offset, offset + CHUNK_BYTES_MAX);
      await this.#options.propose({ kind: "blob.chunk", hash, blobBytes, offset, bytes: chunk }, null);
    }
    await this.#options.propose({ kind: "blob.commit", hash }, null);
  }
}

/** What later JobManagers show of an attempt that is over, and where they find what sinks have prepared. */
function notesOf(driver: JobDriver, { to, attempt, prepared }: Move): { readonly notes?: Uint8Array } {
  const notes = driver.compiler.noted();
  if (prepared !== undefined && notes !== null) {
    const noted = withPrepared(notes, { attempt, runs: prepared });
    return noted === null ? {} : { notes: encodeNotes(noted) };
  }
  if (!isEnded(to) && to !== "restarting") return {};
  // One that this JobManager knows nothing of but its end stays as it was noted.
  if (notes === null || (driver.outline === null && notes.end !== undefined)) return {};
  const { outline, plan, text } = notes;
  return { notes: encodeNotes({ outline, plan, text, end: endNotesOf(driver) }) };
}
