import { resolve } from "node:path";

/** Relative paths count from the directory that the process runs in. */
export function absolutePath(path: string): string {
  return resolve(path);
}
