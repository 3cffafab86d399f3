import type { Clock, Disk } from "../kernel/mod.ts";
import { JobLog } from "./job_log.ts";

/** Jobs that have ended whose logs are kept. */
const ENDED_MAX = 64;

/** The logs of all jobs that ran here, those of ended jobs up to a number. */
export class JobLogs {
  readonly #machine: { readonly clock: Clock; readonly disk: Disk };
  readonly #directory: string;
  /** By id of the job; the one that was begun or ended last at the end. */
  readonly #logs = new Map<string, JobLog>();
  #hasDirectory = false;

  constructor(machine: { readonly clock: Clock; readonly disk: Disk }, directory: string) {
    this.#machine = machine;
    this.#directory = directory;
  }

  get(jobId: string): JobLog | null {
    return this.#logs.get(jobId) ?? null;
  }

  open(jobId: string): JobLog {
    const known = this.#logs.get(jobId);
    if (known !== undefined) return known;
    this.#makeDirectory();
    const made = new JobLog(this.#machine, `${this.#directory}/${jobId}`);
    this.#logs.set(jobId, made);
    return made;
  }

  /** Without one, older lines are lost. */
  #makeDirectory(): void {
    if (this.#hasDirectory) return;
    try {
      this.#machine.disk.makeDirectory(this.#directory);
      this.#hasDirectory = true;
    } catch {
      // The log will find that it cannot write.
    }
  }

  ended(jobId: string): void {
    const log = this.#logs.get(jobId);
    if (log === undefined) return;
    log.end();
    this.#logs.delete(jobId);
    this.#logs.set(jobId, log);
    const ended = [...this.#logs].filter(([, each]) => each.isEnded);
    for (const [id, each] of ended.slice(0, Math.max(0, ended.length - ENDED_MAX))) {
      each.remove();
      this.#logs.delete(id);
    }
  }

  /** The job is forgotten. */
  remove(jobId: string): void {
    this.#logs.get(jobId)?.remove();
    this.#logs.delete(jobId);
  }

  close(): void {
    for (const log of this.#logs.values()) log.remove();
    this.#logs.clear();
  }
}
