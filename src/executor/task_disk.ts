import type { Disk, DiskEntry, ReadHandle, WriteHandle } from "../kernel/mod.ts";
import type { TaskRun } from "../protocol/mod.ts";

/**
 * The disk as a task's sink sees it: temporary files carry the names of job and run, so that what an ended process left
 * is found again (`removeLeftovers`) and another attempt never meets it.
 */
export class TaskDisk implements Disk {
  readonly #disk: Disk;
  readonly #suffix: string;
  #count = 0;

  constructor(disk: Disk, of: { readonly jobId: string; readonly jobAttempt: number; readonly run: TaskRun }) {
    const { task, attempt } = of.run;
    this.#disk = disk;
    this.#suffix = `${of.jobId}-${of.jobAttempt}-${task.fragment}-${task.index}-${attempt}`;
  }

  temporaryName(path: string): string {
    const { directory, name } = parts(path);
    const number = this.#count++;
    return `${directory}.${name}.${this.#suffix}${number === 0 ? "" : `-${number}`}.tmp`;
  }

  stat(path: string): DiskEntry | null {
    return this.#disk.stat(path);
  }

  list(path: string): readonly string[] {
    return this.#disk.list(path);
  }

  openRead(path: string): ReadHandle {
    return this.#disk.openRead(path);
  }

  openWrite(path: string): WriteHandle {
    return this.#disk.openWrite(path);
  }

  rename(from: string, to: string): void {
    this.#disk.rename(from, to);
  }

  remove(path: string): void {
    this.#disk.remove(path);
  }

  makeDirectory(path: string): void {
    this.#disk.makeDirectory(path);
  }

  makeParents(path: string): readonly string[] {
    return this.#disk.makeParents(path);
  }

  removeEmptyDirectory(path: string): void {
    this.#disk.removeEmptyDirectory(path);
  }
}

/** Removes what tasks of the job's attempts up to this one left beside `path` under temporary names. */
export function removeLeftovers(
  disk: Disk,
  of: { readonly jobId: string; readonly upToAttempt: number },
  path: string,
): void {
  const { directory, name } = parts(path);
  const start = `.${name}.${of.jobId}-`;
  for (const entry of namesIn(disk, directory === "" ? "." : directory)) {
    if (!entry.startsWith(start) || !entry.endsWith(".tmp")) continue;
    const jobAttempt = Number.parseInt(entry.slice(start.length), 10);
    if (jobAttempt <= of.upToAttempt) disk.remove(`${directory}${entry}`);
  }
}

function namesIn(disk: Disk, directory: string): readonly string[] {
  return disk.stat(directory)?.kind === "directory" ? disk.list(directory) : [];
}

/** The directory with its separator at the end; empty for a bare name. */
function parts(path: string): { readonly directory: string; readonly name: string } {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1;
  return { directory: path.slice(0, at), name: path.slice(at) };
}
