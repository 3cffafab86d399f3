import { type BlobHash, invariant } from "../../src/kernel/mod.ts";
import {
  type Entry,
  entryBytes,
  type HardState,
  type MembershipEntry,
  type RaftStore,
  type Snapshot,
  type StoreChange,
  type StoredState,
} from "../../src/raft/mod.ts";

/** The store's contract in its shortest form: what survives is the object itself. */
export class MemoryStore implements RaftStore {
  #hardState: HardState | null = null;
  #snapshot: Snapshot | null = null;
  #firstIndex = 1;
  #entries: Entry[] = [];
  readonly #blobs = new Map<BlobHash, Uint8Array>();

  get #lastIndex(): number {
    return this.#firstIndex + this.#entries.length - 1;
  }

  load(): StoredState {
    return {
      hardState: this.#hardState,
      snapshot: this.#snapshot?.meta ?? null,
      firstIndex: this.#firstIndex,
      lastIndex: this.#lastIndex,
      memberships: this.#entries.filter((entry): entry is MembershipEntry => entry.kind === "membership"),
    };
  }

  entries(from: number, to: number, bytesMax: number): Entry[] {
    invariant(this.#firstIndex <= from && from < to && to <= this.#lastIndex + 1, `no entries ${from} to ${to}`);
    const found: Entry[] = [];
    let bytes = 0;
    for (const entry of this.#entries.slice(from - this.#firstIndex, to - this.#firstIndex)) {
      bytes += entryBytes(entry);
      if (found.length > 0 && bytes > bytesMax) break;
      found.push(entry);
    }
    return found;
  }

  term(index: number): number | null {
    if (index === this.#snapshot?.meta.index) return this.#snapshot.meta.term;
    return this.#entries[index - this.#firstIndex]?.term ?? null;
  }

  save({ hardState, snapshot, entries }: StoreChange): void {
    if (hardState !== undefined) this.#hardState = hardState;
    if (snapshot !== undefined) {
      this.#snapshot = snapshot;
      this.#firstIndex = snapshot.meta.index + 1;
      this.#entries = [];
    }
    const first = entries?.[0];
    if (entries === undefined || first === undefined) return;
    invariant(this.#firstIndex <= first.index && first.index <= this.#lastIndex + 1, `gap before ${first.index}`);
    this.#entries.length = first.index - this.#firstIndex;
    this.#entries.push(...entries);
  }

  compact(upTo: number, snapshot: Snapshot): void {
    invariant(upTo <= snapshot.meta.index && snapshot.meta.index <= this.#lastIndex, `cannot compact to ${upTo}`);
    this.#snapshot = snapshot;
    if (upTo < this.#firstIndex) return;
    this.#entries.splice(0, upTo + 1 - this.#firstIndex);
    this.#firstIndex = upTo + 1;
  }

  snapshotBytes(offset: number, bytesMax: number): Uint8Array {
    invariant(this.#snapshot !== null, "no snapshot");
    return this.#snapshot.data.subarray(offset, offset + bytesMax);
  }

  putBlob(hash: BlobHash, bytes: Uint8Array): void {
    if (!this.#blobs.has(hash)) this.#blobs.set(hash, bytes.slice());
  }

  blob(hash: BlobHash): Uint8Array | null {
    return this.#blobs.get(hash) ?? null;
  }

  dropBlob(hash: BlobHash): void {
    this.#blobs.delete(hash);
  }

  blobHashes(): BlobHash[] {
    return [...this.#blobs.keys()];
  }

  close(): void {}
}
