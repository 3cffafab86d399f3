import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rm,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Disk, DiskEntry, EntryKind, ReadHandle, WriteHandle } from "../kernel/mod.ts";
import { makeParents, removeEmptyDirectory } from "./directories.ts";

const READ_BYTES_MAX = 1 << 30;

/**
 * The file system of this machine.
 *
 * @param mode of directories that it makes; those of a node itself are its user's alone
 */
export function nodeDisk(mode = 0o777): Disk {
  return {
    stat,
    list: (path) => readdirSync(path).sort(byCodeUnit),
    openRead,
    openWrite,
    rename(from, to) {
      renameSync(from, to);
      unfinished.delete(from);
    },
    remove(path) {
      rmSync(path, { recursive: true, force: true });
      unfinished.delete(path);
    },
    removeSoon(path) {
      rm(path, { recursive: true, force: true }, () => unfinished.delete(path));
    },
    makeDirectory: (path) => void mkdirSync(path, { recursive: true, mode }),
    makeParents,
    removeEmptyDirectory,
    temporaryName: (path) =>
      removedAtExit(join(dirname(path), `.${basename(path)}.${crypto.randomUUID().slice(0, 8)}.tmp`)),
  };
}

function stat(path: string): DiskEntry | null {
  try {
    const found = statSync(path);
    const kind: EntryKind = found.isFile() ? "file" : found.isDirectory() ? "directory" : "other";
    return { bytes: found.size, kind };
  } catch (cause) {
    if (isMissing(cause)) return null;
    throw cause;
  }
}

function isMissing(cause: unknown): boolean {
  const code = (cause as { code?: unknown } | null)?.code;
  return code === "ENOENT" || code === "ENOTDIR";
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function openRead(path: string): ReadHandle {
  const file = openSync(path, "r");
  const bytes = fstatSync(file).size;
  let open = true;
  return {
    bytes,
    readAt(offset, target, length) {
      let done = 0;
      while (done < length) {
        const count = readSync(file, target, done, Math.min(length - done, READ_BYTES_MAX), offset + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    },
    close() {
      if (open) closeSync(file);
      open = false;
    },
  };
}

/** Temporary files: a process that ends at once, as by a second Ctrl-C, takes them along. */
const unfinished = new Set<string>();
let hasExitHandler = false;

function removedAtExit(path: string): string {
  unfinished.add(path);
  if (!hasExitHandler) {
    hasExitHandler = true;
    process.once("exit", () => {
      for (const each of unfinished) removeQuietly(each);
    });
  }
  return path;
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It never came to be, as below a path that is no directory.
  }
}

function openWrite(path: string): WriteHandle {
  const file = openSync(path, "wx");
  let open = true;
  return {
    append(bytes) {
      let done = 0;
      while (done < bytes.length) done += writeSync(file, bytes, done, bytes.length - done);
    },
    sync: () => fsyncSync(file),
    close() {
      if (open) closeSync(file);
      open = false;
    },
  };
}
