import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** Null when there is none. @throws the operating system's error */
export function readCredentialsText(path: string): string | null {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

/** Whole or not at all, readable by its user alone. */
export function writeCredentialsText(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, path);
}

/** Whether others than its user can read it. */
export function isReadableByOthers(path: string): boolean {
  return process.platform !== "win32" && (statSync(path).mode & 0o077) !== 0;
}
