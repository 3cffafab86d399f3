import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes the directories above `path` that are missing; gives those it made, outermost first.
 * @throws the operating system's error; none of them stays then
 */
export function makeParents(path: string): readonly string[] {
  const missing: string[] = [];
  for (let directory = dirname(path); !exists(directory); directory = dirname(directory)) missing.unshift(directory);
  const made: string[] = [];
  try {
    for (const directory of missing) if (makeOne(directory)) made.push(directory);
  } catch (cause) {
    for (const directory of made.reverse()) removeEmptyDirectory(directory);
    throw cause;
  }
  return made;
}

/** The root and "." are their own parents, and always there. */
function exists(directory: string): boolean {
  if (directory === dirname(directory)) return true;
  try {
    return statSync(directory, { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

/** False when somebody else was faster. */
function makeOne(directory: string): boolean {
  try {
    mkdirSync(directory);
    return true;
  } catch (cause) {
    if ((cause as { code?: unknown } | null)?.code === "EEXIST") return false;
    throw cause;
  }
}

/** Nothing happens when it is not empty, or cannot be removed. */
export function removeEmptyDirectory(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // It is in use, or was never there.
  }
}
