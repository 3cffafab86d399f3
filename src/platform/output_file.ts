import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { makeParents, removeEmptyDirectory } from "./directories.ts";

/** A file that appears only when it is whole: written beside its place and renamed on commit. */
export interface OutputFile {
  write(chunk: string | Uint8Array): Promise<void>;
  readonly bytes: number;
  /** Makes the file appear under its name, replacing what was there. */
  commit(): void;
  /** Leaves nothing behind; without effect after a commit. */
  abort(): void;
}

/**
 * Missing directories above it are made; `abort` removes those again that hold nothing else.
 * @throws the operating system's error (`code` such as EACCES) when nothing can be written there
 */
export function openOutputFile(path: string): OutputFile {
  const temporary = join(dirname(path), `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.tmp`);
  const directories = makeParents(path);
  const file = openIn(directories, temporary);
  let isOpen = true;
  let bytes = 0;
  const abort = () => {
    if (!isOpen) return;
    isOpen = false;
    closeSync(file);
    rmSync(temporary, { force: true });
    removeAll(directories);
    process.off("exit", abort);
  };
  process.once("exit", abort);
  return {
    async write(chunk) {
      const data = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
      for (let done = 0; done < data.length; ) done += writeSync(file, data, done, data.length - done);
      bytes += data.length;
    },
    get bytes() {
      return bytes;
    },
    commit() {
      fsyncSync(file);
      renameSync(temporary, path);
      isOpen = false;
      closeSync(file);
      process.off("exit", abort);
    },
    abort,
  };
}

function openIn(directories: readonly string[], path: string): number {
  try {
    return openSync(path, "wx");
  } catch (cause) {
    removeAll(directories);
    throw cause;
  }
}

/** What is empty of directories that lie in each other, outermost first. */
function removeAll(directories: readonly string[]): void {
  for (const directory of [...directories].reverse()) removeEmptyDirectory(directory);
}

/** Size of a file; null when there is none. */
export function fileBytes(path: string): number | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat?.isFile() ? stat.size : null;
}

/** With parents; nothing happens when it exists. */
export function makeDirectory(path: string): void {
  mkdirSync(path, { recursive: true });
}

/** False when the file exists and may not be replaced; it is then left as it is. */
export function writeNewFile(
  path: string,
  content: string | Uint8Array,
  options: { readonly canReplace: boolean },
): boolean {
  try {
    writeFileSync(path, content, { flag: options.canReplace ? "w" : "wx" });
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") return false;
    throw error;
  }
}
