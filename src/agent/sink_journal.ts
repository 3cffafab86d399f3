/**
 * Where tasks that were begun here write, by job, in files that outlive the agent: what an agent that crashed has left
 * beside these paths, on a disk that perhaps no other node sees, is removed once the JobManager says that it may.
 */
import type { Disk, Log } from "../kernel/mod.ts";
import { writeWhole } from "./whole_file.ts";

interface Entry {
  readonly jobId: string;
  readonly jobAttempt: number;
  readonly sinkPaths: readonly string[];
}

/** Ends the name of what is not whole yet. */
const NEW = ".new";

export class SinkJournal {
  readonly #ports: { readonly disk: Disk; readonly log: Log };
  readonly #directory: string;
  readonly #entries = new Map<string, Entry>();

  constructor(ports: { readonly disk: Disk; readonly log: Log }, directory: string) {
    this.#ports = ports;
    this.#directory = directory;
  }

  /** Jobs that may have left something here. */
  get jobs(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  pathsOf(jobId: string): readonly string[] {
    return this.#entries.get(jobId)?.sinkPaths ?? [];
  }

  /** What an earlier agent has noted. */
  load(): void {
    const { disk } = this.#ports;
    if (disk.stat(this.#directory)?.kind !== "directory") return;
    for (const name of disk.list(this.#directory)) {
      const path = `${this.#directory}/${name}`;
      const entry = name.endsWith(NEW) ? null : this.#read(path);
      if (entry !== null) this.#entries.set(entry.jobId, entry);
      else this.#attempt(() => disk.remove(path)); // it was being written when the agent ended
    }
  }

  /** Before a task is begun. */
  note({ jobId, jobAttempt, sinkPaths }: Entry): void {
    const known = this.#entries.get(jobId);
    const paths = new Set([...(known?.sinkPaths ?? []), ...sinkPaths]);
    const isKnown = known !== undefined && known.jobAttempt >= jobAttempt && paths.size === known.sinkPaths.length;
    if (isKnown || paths.size === 0) return;
    const entry = { jobId, jobAttempt, sinkPaths: [...paths] };
    this.#entries.set(jobId, entry);
    this.#write(entry);
  }

  /** Nothing is left of the job's attempts up to this one. */
  forget(jobId: string, upToAttempt: number): void {
    const known = this.#entries.get(jobId);
    if (known === undefined || known.jobAttempt > upToAttempt) return;
    this.#entries.delete(jobId);
    this.#attempt(() => {
      this.#ports.disk.remove(this.#pathOf(jobId));
      if (this.#entries.size === 0) this.#ports.disk.removeEmptyDirectory(this.#directory);
    });
  }

  #pathOf(jobId: string): string {
    return `${this.#directory}/${jobId}.json`;
  }

  #write(entry: Entry): void {
    const { disk } = this.#ports;
    this.#attempt(() => {
      disk.makeDirectory(this.#directory);
      const path = this.#pathOf(entry.jobId);
      const whole = `${path}${NEW}`;
      writeWhole(disk, whole, new TextEncoder().encode(JSON.stringify(entry)));
      disk.rename(whole, path);
    });
  }

  #read(path: string): Entry | null {
    try {
      const file = this.#ports.disk.openRead(path);
      const bytes = new Uint8Array(file.bytes);
      file.readAt(0, bytes, bytes.length);
      file.close();
      const found: unknown = JSON.parse(new TextDecoder().decode(bytes));
      return isEntry(found) ? found : null;
    } catch {
      return null;
    }
  }

  /** A disk that takes nothing costs what a crash would leave, not the job. */
  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#ports.log.write("warn", "where a job writes is not noted", { reason: String(error) });
    }
  }
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  const { jobId, jobAttempt, sinkPaths } = value as Partial<Record<keyof Entry, unknown>>;
  const areTexts = Array.isArray(sinkPaths) && sinkPaths.every((path) => typeof path === "string");
  return typeof jobId === "string" && /^[0-9a-f]{32}$/.test(jobId) && Number.isInteger(jobAttempt) && areTexts;
}
