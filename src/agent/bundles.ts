import type { BlobHash, Disk } from "../kernel/mod.ts";
import type { AgentHooks } from "./ports.ts";
import { writeWhole } from "./whole_file.ts";

interface Bundle {
  readonly path: string;
  readonly written: Promise<void>;
  readonly users: Set<object>;
}

/** Modules of jobs as files: each once, for as long as a job needs it. */
export class Bundles {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #blob: AgentHooks["blob"];
  readonly #bundles = new Map<BlobHash, Bundle>();
  readonly #stopping = new AbortController();

  constructor(disk: Disk, directory: string, blob: AgentHooks["blob"]) {
    this.#disk = disk;
    this.#directory = directory;
    this.#blob = blob;
  }

  /** Path of the file. Errors as of `AgentHooks.blob` and of the disk. */
  async path(hash: BlobHash, user: object): Promise<string> {
    const bundle = this.#bundles.get(hash) ?? this.#add(hash);
    bundle.users.add(user);
    await bundle.written;
    return bundle.path;
  }

  release(user: object): void {
    for (const [hash, { users, path }] of this.#bundles) {
      if (!users.delete(user) || users.size > 0) continue;
      this.#bundles.delete(hash);
      this.#disk.remove(path);
    }
  }

  close(): void {
    this.#stopping.abort();
  }

  #add(hash: BlobHash): Bundle {
    const path = `${this.#directory}/${hash}.mjs`;
    const bundle: Bundle = { path, written: this.#write(hash, path), users: new Set() };
    this.#bundles.set(hash, bundle);
    bundle.written.catch(() => {
      if (this.#bundles.get(hash) === bundle) this.#bundles.delete(hash);
    });
    return bundle;
  }

  async #write(hash: BlobHash, path: string): Promise<void> {
    const bytes = await this.#blob(hash, this.#stopping.signal);
    // Nobody needs it any more.
    if (!this.#bundles.has(hash)) return;
    this.#disk.makeDirectory(this.#directory);
    // One may be left over of a user that has gone while it was written.
    writeWhole(this.#disk, path, bytes);
  }
}
