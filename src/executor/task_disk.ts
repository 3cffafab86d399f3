import type { Disk, DiskEntry, ReadHandle, WriteHandle } from "../kernel/mod.ts";
import type { TaskRun } from "../protocol/mod.ts";
import { ExecutorError } from "./error.ts";

interface RunOfJob {
  readonly jobId: string;
  readonly jobAttempt: number;
  readonly run: TaskRun;
}

/**
 * The disk as a task's sink sees it: temporary files carry the names of job and run, so that what an ended process left
 * is found again (`removeLeftovers`, `putInPlace`) and another attempt never meets it.
 */
export class TaskDisk implements Disk {
  readonly #disk: Disk;
  readonly #of: RunOfJob;
  readonly #temporary: string[] = [];

  constructor(disk: Disk, of: RunOfJob) {
    this.#disk = disk;
    this.#of = of;
  }

  temporaryName(path: string): string {
    const name = temporaryOf(path, this.#of, this.#temporary.length);
    this.#temporary.push(name);
    return name;
  }

  /** Leaves a mark beside each temporary file: it is whole; and once it is gone from beside its mark, it is in its place. */
  markWhole(): void {
    for (const name of this.#temporary) this.#disk.openWrite(markOf(name)).close();
  }

  removeMarks(): void {
    for (const name of this.#temporary) this.#disk.remove(markOf(name));
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

/**
 * Puts the file in its place that a run prepared whose process is gone. False: nothing is seen of it here.
 * @throws {ExecutorError} disk: it cannot be put there
 */
export function putInPlace(disk: Disk, of: RunOfJob, path: string): boolean {
  const temporary = temporaryOf(path, of, 0);
  if (disk.stat(markOf(temporary)) === null) return false;
  try {
    if (disk.stat(temporary) !== null) disk.rename(temporary, path);
  } catch (cause) {
    // Another node that sees the same disk may have been faster.
    if (disk.stat(temporary) === null) return true;
    throw new ExecutorError("disk", `Cannot write ${path}: ${String(cause)}`, { cause });
  }
  return true;
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

function temporaryOf(path: string, { jobId, jobAttempt, run }: RunOfJob, number: number): string {
  const { directory, name } = parts(path);
  const { task, attempt } = run;
  const suffix = `${jobId}-${jobAttempt}-${task.fragment}-${task.index}-${attempt}${number === 0 ? "" : `-${number}`}`;
  return `${directory}.${name}.${suffix}.tmp`;
}

function markOf(temporary: string): string {
  return temporary.replace(/\.tmp$/, ".whole.tmp");
}

/** The directory with its separator at the end; empty for a bare name. */
function parts(path: string): { readonly directory: string; readonly name: string } {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1;
  return { directory: path.slice(0, at), name: path.slice(at) };
}
