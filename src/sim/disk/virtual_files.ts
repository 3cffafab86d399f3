import { type Disk, type DiskEntry, joinBytes, type ReadHandle, type WriteHandle } from "../../kernel/mod.ts";

interface File {
  pieces: Uint8Array[];
  bytes: number;
  /** What a power cut leaves. */
  syncedBytes: number;
}

/** What becomes of a process that touches a disk: it may die, wait, or be refused. */
export interface DiskWatch {
  /** Before a change, which may need room; may throw. */
  changing(path: string, needsRoom: boolean): void;
}

/** A tree of files in memory, which outlives the processes that write it. */
export class VirtualFiles {
  readonly #files = new Map<string, File>();
  readonly #directories = new Set<string>(["/"]);
  #temporaryCount = 0;
  /** A file got its name: what is there now, whole. */
  renamed: (from: string, to: string) => void = () => undefined;

  /** The tree as one process sees it. `cut`: its machine lost power, and what it wrote but did not sync. */
  view(watch: DiskWatch): { readonly disk: Disk; readonly cut: () => void } {
    const written = new Set<File>();
    const cut = (): void => {
      for (const file of written) {
        file.pieces = [joinBytes(file.pieces).slice(0, file.syncedBytes)];
        file.bytes = file.syncedBytes;
      }
    };
    return { disk: this.#disk(watch, written), cut };
  }

  #disk(watch: DiskWatch, written: Set<File>): Disk {
    return {
      stat: (path) => this.#stat(plain(path)),
      list: (path) => this.list(plain(path)),
      openRead: (path) => this.#openRead(path),
      openWrite: (path) => {
        watch.changing(path, true);
        const file = this.#create(path);
        written.add(file);
        return handle(file, () => watch.changing(path, true));
      },
      rename: (from, to) => {
        watch.changing(to, false);
        this.#rename(from, to);
      },
      remove: (path) => {
        watch.changing(path, false);
        this.#remove(path);
      },
      makeDirectory: (path) => {
        watch.changing(path, true);
        this.#makeDirectory(path);
      },
      makeParents: (path) => {
        watch.changing(path, true);
        return this.#makeDirectory(parentOf(path));
      },
      removeEmptyDirectory: (path) => {
        watch.changing(path, false);
        if (this.#directories.has(path) && this.#below(path).length === 0) this.#directories.delete(path);
      },
      temporaryName: (path) =>
        `${parentOf(path)}/.${path.slice(path.lastIndexOf("/") + 1)}.${this.#temporaryCount++}.tmp`,
    };
  }

  /** Whole contents; null when there is no such file. */
  read(path: string): Uint8Array | null {
    const file = this.#files.get(path);
    return file === undefined ? null : joinBytes(file.pieces);
  }

  write(path: string, bytes: Uint8Array): void {
    this.#makeDirectory(parentOf(path));
    this.#files.set(path, { pieces: [bytes.slice()], bytes: bytes.length, syncedBytes: bytes.length });
  }

  /** Paths of all files below a directory, sorted. */
  paths(directory: string): string[] {
    return [...this.#files.keys()].filter((path) => path.startsWith(`${directory}/`)).sort();
  }

  list(directory: string): string[] {
    if (!this.#directories.has(directory)) throw failure("ENOENT", directory);
    const start = directory === "/" ? "/" : `${directory}/`;
    const names = this.#below(directory).map((path) => path.slice(start.length).split("/")[0] as string);
    return [...new Set(names)].sort();
  }

  #stat(path: string): DiskEntry | null {
    const file = this.#files.get(path);
    if (file !== undefined) return { bytes: file.bytes, kind: "file" };
    return this.#directories.has(path) ? { bytes: 0, kind: "directory" } : null;
  }

  #below(directory: string): string[] {
    const start = directory === "/" ? "/" : `${directory}/`;
    const all = [...this.#files.keys(), ...this.#directories];
    return all.filter((path) => path.startsWith(start) && path.length > start.length);
  }

  #openRead(path: string): ReadHandle {
    const file = this.#files.get(path);
    if (file === undefined) throw failure("ENOENT", path);
    let whole: Uint8Array | null = null;
    return {
      bytes: file.bytes,
      readAt: (offset, target, length) => {
        // A file that is written on grows under its readers.
        if (whole === null || whole.length < file.bytes) whole = joinBytes(file.pieces);
        const part = whole.subarray(offset, offset + length);
        target.set(part);
        return part.length;
      },
      close: () => undefined,
    };
  }

  #create(path: string): File {
    if (this.#files.has(path)) throw failure("EEXIST", path);
    if (!this.#directories.has(parentOf(path))) throw failure("ENOENT", path);
    const file: File = { pieces: [], bytes: 0, syncedBytes: 0 };
    this.#files.set(path, file);
    return file;
  }

  #rename(from: string, to: string): void {
    const file = this.#files.get(from);
    if (file === undefined) throw failure("ENOENT", from);
    this.#files.delete(from);
    this.#files.set(to, file);
    this.renamed(from, to);
  }

  #remove(path: string): void {
    this.#files.delete(path);
    if (!this.#directories.delete(path)) return;
    for (const below of this.#below(path)) {
      this.#files.delete(below);
      this.#directories.delete(below);
    }
  }

  #makeDirectory(path: string): string[] {
    const made: string[] = [];
    for (let at = path; at !== "/" && !this.#directories.has(at); at = parentOf(at)) made.unshift(at);
    for (const directory of made) this.#directories.add(directory);
    return made;
  }
}

/** One disk for each beginning of a path, the longest first. */
export function mounted(mounts: readonly (readonly [prefix: string, disk: Disk])[]): Disk {
  const at = (path: string): Disk => {
    const found = mounts.find(([prefix]) => path.startsWith(prefix));
    if (found === undefined) throw failure("ENOENT", path);
    return found[1];
  };
  return {
    stat: (path) => at(path).stat(path),
    list: (path) => at(path).list(path),
    openRead: (path) => at(path).openRead(path),
    openWrite: (path) => at(path).openWrite(path),
    rename: (from, to) => at(to).rename(from, to),
    remove: (path) => at(path).remove(path),
    makeDirectory: (path) => at(path).makeDirectory(path),
    makeParents: (path) => at(path).makeParents(path),
    removeEmptyDirectory: (path) => at(path).removeEmptyDirectory(path),
    temporaryName: (path) => at(path).temporaryName(path),
  };
}

function handle(file: File, changing: () => void): WriteHandle {
  return {
    append: (bytes) => {
      changing();
      file.pieces.push(bytes.slice());
      file.bytes += bytes.length;
    },
    sync: () => {
      changing();
      file.syncedBytes = file.bytes;
    },
    close: () => undefined,
  };
}

/** Without a separator at the end. */
function plain(path: string): string {
  return path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
}

function parentOf(path: string): string {
  const at = path.lastIndexOf("/");
  return at <= 0 ? "/" : path.slice(0, at);
}

/** As the operating system throws it. */
export function failure(code: "ENOENT" | "EEXIST" | "ENOSPC", path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
