/**
 * A client that submits one job after the other, reads its rows, sometimes changes its mind, and holds what it is told
 * against what the job gives where nothing goes wrong.
 */
import { JobFailedError, type JobHandle, type Jobs } from "../../client/mod.ts";
import { SageError } from "../../kernel/mod.ts";
import { encodeLogicalPlan } from "../../plan/mod.ts";
import type { JobOptions } from "../../protocol/mod.ts";
import type { Seeded } from "../world/seeded.ts";
import type { World } from "../world/world.ts";
import { bundleOf, drawJob, type JobKind, type JobSpec, planOf } from "./catalog.ts";
import { inOrder, messageRows, undisturbed } from "./undisturbed.ts";

/** What became of a job, as its client was told. */
export interface JobNote {
  readonly jobId: string;
  readonly number: number;
  readonly spec: JobSpec;
  /** It tries as often as it takes: no fault makes it fail. */
  readonly isStubborn: boolean;
  /** Verbs that were asked for, in their order, whatever came of them. */
  readonly verbs: string[];
  /** Null until the client has been told the end. */
  end: { readonly state: string; readonly reason: string } | null;
  /** Rows of the roots have come whole. */
  hasRows: boolean;
}

export interface JobShared {
  readonly world: World;
  readonly thinkMs: number;
  readonly kinds: readonly JobKind[];
  readonly note: (text: string) => void;
  readonly fail: (kind: "job-wrong" | "error", text: string) => void;
  readonly jobs: JobNote[];
  readonly stats: { submitted: number; accepted: number; finished: number; rows: number; resumed: number };
}

const STUBBORN: Partial<JobOptions> = { restartsMax: 1_000, taskRetriesMax: 1_000 };
const STRATEGIES: readonly JobOptions["strategy"][] = [
  "coLocated",
  "locality",
  "loadBalanced",
  "roundRobin",
  "hash",
  "range",
];
/** Answers that a client must be ready for. */
const EXCUSES: ReadonlySet<string> = new Set(["not-possible", "not-found", "deadline", "refused"]);
const RETRY_MS = 500;

export class JobClient {
  readonly #name: string;
  readonly #jobs: Jobs;
  readonly #shared: JobShared;
  readonly #random: Seeded;
  #count = 0;
  #isStopped = false;
  #isBusy = true;

  constructor(name: string, jobs: Jobs, shared: JobShared) {
    this.#name = name;
    this.#jobs = jobs;
    this.#shared = shared;
    this.#random = shared.world.random.fork();
    void this.#live().catch((error: unknown) => {
      shared.fail("error", `${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    });
  }

  /** Submits nothing more; what it has begun it still waits for. */
  stop(): void {
    this.#isStopped = true;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  async #live(): Promise<void> {
    while (!this.#isStopped) {
      await this.#sleep(this.#random.exponential(this.#shared.thinkMs));
      if (!this.#isStopped) await this.#one();
    }
    this.#isBusy = false;
  }

  async #one(): Promise<void> {
    const { stats } = this.#shared;
    const name = `${this.#name}.${this.#count++}`;
    const spec = drawJob(this.#random, `/shared/out/${name}`, this.#shared.kinds);
    const isStubborn = this.#random.chance(0.8);
    const bundle = bundleOf(spec);
    const parallelism = this.#random.chance(0.2) ? null : 1 + this.#random.below(4);
    const strategy = this.#random.pick(STRATEGIES) ?? "coLocated";
    const options = { parallelism, strategy, ...(isStubborn ? STUBBORN : {}) };
    stats.submitted++;
    let handle: JobHandle;
    try {
      handle = await this.#jobs.submit({ name, plan: encodeLogicalPlan(planOf(spec)), bundle, options });
    } catch (error) {
      return this.#excused(error, "submitting");
    }
    stats.accepted++;
    const note: JobNote = {
      jobId: handle.id,
      number: handle.number,
      spec,
      isStubborn,
      verbs: [],
      end: null,
      hasRows: false,
    };
    this.#shared.jobs.push(note);
    this.#shared.note(`${this.#name} has job ${handle.number}: ${spec.kind} of ${spec.files} files`);
    const mind = this.#mind(handle, note);
    const [rows] = await Promise.all([this.#rows(handle, note), mind.then(() => this.#end(handle, note))]);
    if (note.end?.state === "finished") await this.#checkRows(note, rows);
    if (note.end !== null && this.#random.chance(0.2)) await this.#verb(handle, note, "delete");
  }

  /** Until it has ended for good. */
  async #end(handle: JobHandle, note: JobNote): Promise<void> {
    for (;;) {
      try {
        const { state, reason } = await handle.settled();
        if (state === "stopped" && note.verbs.includes("stop")) {
          await this.#verb(handle, note, "continue");
          await this.#sleep(RETRY_MS);
          continue;
        }
        note.end = { state, reason };
        if (state === "finished") this.#shared.stats.finished++;
        this.#shared.note(`${this.#name} is told that job ${note.number} ${state}: ${reason}`);
        return;
      } catch (error) {
        this.#excused(error, `waiting for job ${note.number}`);
        await this.#sleep(RETRY_MS);
      }
    }
  }

  /** By root; null where they are not to be had. */
  async #rows(handle: JobHandle, note: JobNote): Promise<readonly (readonly string[] | null)[]> {
    const roots: (readonly string[] | null)[] = [];
    let client = 0;
    for (const root of planOf(note.spec).roots) {
      roots.push(root.kind === "sink" ? null : await this.#root(handle, note, client));
      client++;
    }
    return roots;
  }

  /** From the first row each time that all patience was in vain. */
  async #root(handle: JobHandle, note: JobNote, root: number): Promise<readonly string[] | null> {
    for (;;) {
      const rows: string[] = [];
      try {
        for await (const item of handle.rows(root)) rows.push(...messageRows(item.bytes));
        this.#shared.stats.rows += rows.length;
        return rows;
      } catch (error) {
        if (error instanceof JobFailedError) {
          this.#shared.note(`${this.#name}: rows of job ${note.number}: ${error.code} ${error.message}`);
          // It goes on, and its rows with it.
          if (error.code === "job-stopped" || error.code === "job-cancelled") {
            if (!note.verbs.includes("stop") || note.verbs.includes("cancel")) return null;
          } else return null;
        } else this.#excused(error, `rows of job ${note.number}`);
        this.#shared.stats.resumed++;
        await this.#sleep(RETRY_MS);
        const record = await handle.record().catch(() => undefined);
        if (record === null || record?.state === "cancelled" || record?.state === "failed") return null;
      }
    }
  }

  async #checkRows(note: JobNote, roots: readonly (readonly string[] | null)[]): Promise<void> {
    const expected = await undisturbed(note.spec);
    for (const [index, rows] of roots.entries()) {
      const wanted = expected.roots[index] ?? null;
      if (wanted === null || rows === null) continue;
      const got = inOrder(note.spec, rows);
      if (got.length === wanted.length && got.every((row, at) => row === wanted[at])) {
        note.hasRows = true;
        continue;
      }
      const at = got.findIndex((row, place) => row !== wanted[place]);
      const text = `job ${note.number} (${note.spec.kind} of ${note.spec.files} files): ${got.length} rows came, not ${wanted.length}`;
      this.#shared.fail("job-wrong", `${text}; first difference at ${at}: ${got[at]}, not ${wanted[at]}`);
    }
  }

  /** Now and then the user wants something else. */
  async #mind(handle: JobHandle, note: JobNote): Promise<void> {
    const dice = this.#random.next();
    const verb = dice < 0.08 ? "cancel" : dice < 0.16 ? "stop" : dice < 0.22 ? "restart" : null;
    if (verb === null) return;
    await this.#sleep(this.#random.exponential(600));
    await this.#verb(handle, note, verb);
  }

  async #verb(
    handle: JobHandle,
    note: JobNote,
    verb: "cancel" | "stop" | "restart" | "continue" | "delete",
  ): Promise<void> {
    note.verbs.push(verb);
    try {
      const state = await handle.verb(verb);
      this.#shared.note(`${this.#name}: ${verb} of job ${note.number}: ${state}`);
    } catch (error) {
      this.#excused(error, `${verb} of job ${note.number}`);
    }
  }

  /** What a client may be told when things go wrong; anything else is a bug. */
  #excused(error: unknown, what: string): void {
    this.#shared.note(`${this.#name}: ${what}: ${String(error)}`);
    if (error instanceof JobFailedError) return;
    if (error instanceof SageError && (error.retryable || EXCUSES.has(String(error.code)))) return;
    this.#shared.fail("error", `${this.#name}, ${what}: ${error instanceof Error ? error.stack : String(error)}`);
  }

  #sleep(forMs: number): Promise<void> {
    return new Promise((resolve) => void this.#shared.world.after(forMs, resolve));
  }
}
