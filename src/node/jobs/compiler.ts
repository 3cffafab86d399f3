/** From a job's logical plan to what its tasks run: asked of an agent once, and then known from the log. */
import { checkFits, decodeOutline, type JobOutline, JobsError, slotsAtOnce } from "../../jobs/mod.ts";
import { type BlobHash, type Clock, type Keys, type PeerId, SageError } from "../../kernel/mod.ts";
import { agentCompile } from "../../protocol/mod.ts";
import type { AgentCalls } from "./calls.ts";
import type { Contents } from "./contents.ts";
import { pause } from "./pause.ts";
import { decodeNotes, type Notes, type Submission } from "./submission.ts";

export interface CompilerHost {
  readonly clock: Clock;
  readonly keys: Pick<Keys, "sha256">;
  readonly term: number;
  readonly self: PeerId;
  readonly calls: AgentCalls;
  readonly contents: Contents;
  /** Agents that are there, and what they offer. */
  slots(): readonly { readonly peer: PeerId; readonly slotCount: number; readonly slotMemoryBytes: number }[];
  /** All that the cluster's members offer, also those that are away. */
  offered(): Parameters<typeof checkFits>[1];
  /** The agent has something of the job. */
  touched(jobId: string, peer: PeerId): void;
}

export interface CompilerOptions {
  readonly jobId: string;
  readonly submission: Submission;
  /** As the log has them now. */
  readonly notes: () => Uint8Array;
  readonly planned: (outline: JobOutline) => void;
  /** `code`: of the error that was found in the job; null when nobody looked. */
  readonly failed: (reason: string, code: string | null) => void;
}

export interface Part {
  readonly hash: BlobHash;
  readonly bytes: Uint8Array;
}

/** What the log is to be told with the job's next move. */
export interface Made {
  readonly notes: Notes;
  readonly parts: readonly Part[];
}

const COMPILE_DEADLINE_MS = 120_000;
const TRIES_MAX = 6;
const RETRY_MS = 300;
const SLOTS_MAX = 4_096;

export class Compiler {
  /** Null until it is known. */
  outline: JobOutline | null = null;
  /** Not in the log yet. */
  made: Made | null = null;
  readonly #host: CompilerHost;
  readonly #options: CompilerOptions;
  #running: AbortController | null = null;
  #isStopped = false;
  #text: string | null = null;
  /** Of the log; asked for with every order. */
  #read: { readonly bytes: Uint8Array; readonly notes: Notes | null } | null = null;

  constructor(host: CompilerHost, options: CompilerOptions) {
    this.#host = host;
    this.#options = options;
  }

  noted(): Notes | null {
    if (this.made !== null) return this.made.notes;
    const bytes = this.#options.notes();
    if (bytes !== this.#read?.bytes) this.#read = { bytes, notes: decodeNotes(bytes) };
    return this.#read.notes;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  start(): void {
    this.#running?.abort();
    const running = new AbortController();
    this.#running = running;
    this.#run(running.signal)
      .catch((error: unknown) => {
        if (!running.signal.aborted) this.#options.failed(reasonOf(error), codeOf(error));
      })
      .finally(() => {
        if (this.#running === running) this.#running = null;
      });
  }

  /** The job will not run: nobody needs the plan any more. */
  giveUp(): void {
    if (this.#running === null || this.outline !== null) return;
    this.#running.abort();
    this.#running = null;
    this.#options.failed("it was called off while it was compiled", null);
  }

  /** The log has what was made, or the job begins anew. */
  again(): void {
    if (decodeNotes(this.#options.notes()) !== null) this.made = null;
  }

  stop(): void {
    this.#isStopped = true;
    this.#running?.abort();
  }

  /** The physical plan as text; null when there is none. */
  async text(signal: AbortSignal): Promise<string | null> {
    const notes = this.noted();
    if (this.#text === null && notes !== null) {
      this.#text = new TextDecoder().decode(await this.#content(notes.text, signal));
    }
    return this.#text;
  }

  /** What tasks run. @throws {NodeError} not-found */
  plan(): BlobHash | null {
    return this.noted()?.plan ?? null;
  }

  /** A part that may not be in the log yet. */
  partOf(hash: BlobHash): Uint8Array | null {
    return this.made?.parts.find((part) => part.hash === hash)?.bytes ?? null;
  }

  async #content(hash: BlobHash, signal: AbortSignal): Promise<Uint8Array> {
    return this.partOf(hash) ?? (await this.#host.contents.get(hash, signal));
  }

  async #run(signal: AbortSignal): Promise<void> {
    const notes = this.noted();
    const outline =
      notes === null ? await this.#compile(signal) : decodeOutline(await this.#content(notes.outline, signal));
    if (signal.aborted || this.#isStopped) return;
    this.#checkFits(outline);
    this.outline = outline;
    this.#options.planned(outline);
  }

  async #compile(signal: AbortSignal): Promise<JobOutline> {
    const { submission, jobId } = this.#options;
    const plan = await this.#content(submission.plan, signal);
    for (let tries = 1; ; ) {
      const [place, slots] = this.#place(tries);
      if (place === null) {
        this.#checkAny();
        await pause(this.#host.clock, RETRY_MS, signal);
      } else {
        const { calls, term } = this.#host;
        const order = { term, jobId, plan, slots, parallelism: submission.options.parallelism };
        const how = { deadlineMs: COMPILE_DEADLINE_MS, signal };
        try {
          this.#host.touched(jobId, place);
          const compiled = await calls.call(place, agentCompile, order, how);
          return this.#keep(compiled);
        } catch (error) {
          const isPassing = error instanceof SageError && error.retryable && tries < TRIES_MAX;
          if (!isPassing || signal.aborted) throw error;
          tries++;
          await pause(this.#host.clock, RETRY_MS, signal);
        }
      }
      if (signal.aborted) throw new JobsError("option", "The job was called off.");
    }
  }

  #keep(compiled: { readonly outline: Uint8Array; readonly plan: Uint8Array; readonly text: string }): JobOutline {
    const outline = decodeOutline(compiled.outline);
    const text = new TextEncoder().encode(compiled.text === "" ? " " : compiled.text);
    const parts = [compiled.outline, compiled.plan, text].map((bytes): Part => {
      return { hash: this.#host.keys.sha256(bytes) as BlobHash, bytes }; // the port gives text
    });
    const [one, two, three] = parts as [Part, Part, Part];
    this.made = { notes: { outline: one.hash, plan: two.hash, text: three.hash }, parts };
    this.#text = compiled.text;
    return outline;
  }

  /** The own agent, or another one at every further try; and the slots that the job may count on. */
  #place(tries: number): readonly [PeerId | null, number] {
    const { submission } = this.#options;
    const all = this.#host.slots();
    const able = all.filter(({ slotMemoryBytes }) => slotMemoryBytes >= submission.options.taskMemoryBytes);
    const slots = able.reduce((sum, { slotCount }) => sum + slotCount, 0);
    const own = all.findIndex(({ peer }) => peer === this.#host.self);
    const place = all.length === 0 ? undefined : all[(Math.max(0, own) + tries - 1) % all.length];
    return [place?.peer ?? null, Math.min(SLOTS_MAX, Math.max(1, slots))];
  }

  #checkFits(outline: JobOutline): void {
    checkFits(this.#demand(outline.name, Math.max(1, slotsAtOnce(outline))), this.#host.offered());
  }

  #checkAny(): void {
    checkFits(this.#demand("", 1), this.#host.offered());
  }

  #demand(name: string, slotsAtOnce: number) {
    const { jobId, submission } = this.#options;
    const { priority, taskMemoryBytes } = submission.options;
    return { jobId, name, priority, acceptedAtIndex: 0, slotsAtOnce, taskMemoryBytes };
  }
}

const CODE_LENGTH_MAX = 64;

function codeOf(error: unknown): string | null {
  return error instanceof SageError ? String(error.code).slice(0, CODE_LENGTH_MAX) : null;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
