import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = "sage-job-";
/** `sage-job-PID-abcdef` */
const OWNED = /^sage-job-(\d+)-/;
/** Whose process seems to be gone may be of one that is not seen from here: that of another container. */
const ABANDONED_MS = 3_600_000;

/**
 * A directory of this process for a bundle. A signal that ends a process while user code runs lets nothing be tidied:
 * what such processes have left is removed by the next one.
 */
export function makeJobDirectory(parent = tmpdir()): string {
  removeAbandoned(parent);
  return mkdtempSync(join(parent, `${PREFIX}${process.pid}-`));
}

function removeAbandoned(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = Number(OWNED.exec(name)?.[1] ?? 0);
    if (pid === 0 || isRunning(pid)) continue;
    const path = join(parent, name);
    try {
      if (statSync(path).mtimeMs < Date.now() - ABANDONED_MS) rmSync(path, { recursive: true, force: true });
    } catch {
      // another user's, or removed meanwhile
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
