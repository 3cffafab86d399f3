import { type BlobHash, invariant } from "../../kernel/mod.ts";
import {
  type Entry,
  entryBytes,
  type MembershipEntry,
  type RaftStore,
  type Snapshot,
  type StoreChange,
  type StoredState,
} from "../../raft/mod.ts";
import type { Host } from "../world/host.ts";
import type { VirtualDisk } from "./virtual_disk.ts";

/** A write did not fit. */
export class DiskFullError extends Error {
  override readonly name = "DiskFullError";
}

/**
 * The RaftStore port on a virtual disk. A write takes time, in which the host does nothing else; the host may die before
 * it (the torn write of a transaction: nothing of it is there) or after it, before anything is sent.
 */
export class VirtualStore implements RaftStore {
  readonly #host: Host;
  readonly #disk: VirtualDisk;
  readonly #life: number;

  constructor(host: Host, disk: VirtualDisk) {
    this.#host = host;
    this.#disk = disk;
    this.#life = host.life;
  }

  load(): StoredState {
    const { hardState, snapshot, firstIndex, log } = this.#disk;
    return {
      hardState,
      snapshot: snapshot?.meta ?? null,
      firstIndex,
      lastIndex: firstIndex + log.length - 1,
      memberships: log.filter((entry): entry is MembershipEntry => entry.kind === "membership"),
    };
  }

  entries(from: number, to: number, bytesMax: number): Entry[] {
    const { firstIndex, log } = this.#disk;
    invariant(firstIndex <= from && from < to && to <= firstIndex + log.length, "entries are within the log");
    const run = log.slice(from - firstIndex, to - firstIndex);
    let bytes = 0;
    const end = run.findIndex((entry, at) => {
      bytes += entryBytes(entry);
      return at > 0 && bytes > bytesMax;
    });
    return end < 0 ? run : run.slice(0, end);
  }

  term(index: number): number | null {
    const { firstIndex, log, snapshot } = this.#disk;
    const entry = log[index - firstIndex];
    if (entry !== undefined) return entry.term;
    return snapshot?.meta.index === index ? snapshot.meta.term : null;
  }

  save(change: StoreChange): void {
    this.#transaction(() => {
      const disk = this.#disk;
      if (change.hardState) disk.hardState = change.hardState;
      if (change.snapshot) {
        disk.snapshot = change.snapshot;
        disk.firstIndex = change.snapshot.meta.index + 1;
        disk.log = [];
      }
      const first = change.entries?.[0];
      if (change.entries === undefined || first === undefined) return;
      invariant(first.index <= disk.firstIndex + disk.log.length, "entries leave no gap");
      invariant(first.index >= disk.firstIndex, "entries lie after what was compacted");
      disk.log.length = first.index - disk.firstIndex;
      for (const entry of change.entries) disk.log.push(entry);
    });
  }

  compact(upTo: number, snapshot: Snapshot): void {
    this.#transaction(() => {
      const disk = this.#disk;
      disk.snapshot = snapshot;
      const kept = Math.max(upTo + 1, disk.firstIndex);
      disk.log = disk.log.slice(kept - disk.firstIndex);
      disk.firstIndex = kept;
    });
  }

  snapshotBytes(offset: number, bytesMax: number): Uint8Array {
    invariant(this.#disk.snapshot, "there is a snapshot");
    return this.#disk.snapshot.data.subarray(offset, offset + bytesMax);
  }

  putBlob(hash: BlobHash, bytes: Uint8Array): void {
    if (!this.#disk.blobs.has(hash)) this.#transaction(() => this.#disk.blobs.set(hash, bytes.slice()));
  }

  blob(hash: BlobHash): Uint8Array | null {
    return this.#disk.blobs.get(hash) ?? null;
  }

  dropBlob(hash: BlobHash): void {
    if (this.#disk.blobs.has(hash)) this.#transaction(() => this.#disk.blobs.delete(hash));
  }

  blobHashes(): BlobHash[] {
    return [...this.#disk.blobs.keys()];
  }

  close(): void {
    // Nothing is held open.
  }

  #transaction(change: () => void): void {
    this.#host.mayCrash(this.#life);
    if (this.#disk.isFull) throw new DiskFullError("No space left on the virtual disk");
    change();
    this.#disk.writeCount++;
    this.#host.work(this.#disk.writeMs * (0.5 + this.#host.next()));
    this.#host.mayCrash(this.#life);
  }
}
