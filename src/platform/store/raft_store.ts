import { type BlobHash, invariant, type PeerId, StoreError } from "../../kernel/mod.ts";
import {
  type Entry,
  entryBytes,
  type RaftStore,
  type Snapshot,
  type StoreChange,
  type StoredState,
} from "../../raft/mod.ts";
import { Acknowledged } from "./acknowledged.ts";
import { type Database, damaged, storeError } from "./database.ts";
import type { LogIndex } from "./log_index.ts";
import { openChecked } from "./open.ts";
import { type EntryRow, entryOf, entryRow, namedCrc, partName, type StateRow, stateText } from "./rows.ts";

export interface RaftStoreOptions {
  /** Whose store this is; written when it is made, compared when it is opened. */
  readonly owner?: PeerId;
}

/** The write-ahead log is moved into the database when it has grown by about this: often, since all else waits meanwhile. */
const CHECKPOINT_BYTES = 1 << 20;
/** Rows of dropped entries that go with a compaction; the others go with the saves after it, a few more than come. */
const DROPPED_AT_ONCE_MAX = 1_024;
const DROPPED_WITH_SAVE = 16;
const SNAPSHOT_PART_BYTES = 256 << 10;
/** Pages that every change writes: the state row's, and one of the log's. */
const CHANGE_BYTES = 2 * 4096;

/**
 * Opens the store at `path`, or makes it; its files are `path` and others that begin with that name.
 *
 * Gives exactly what was acknowledged, or refuses: see README.md for what is checked.
 * @throws {StoreError} damaged, in use, of another node, of a newer version, not writable
 */
export function openRaftStore(path: string, options: RaftStoreOptions = {}): RaftStore {
  const { database, state, log, blobs } = openChecked(path, options.owner ?? "");
  try {
    const acknowledged = new Acknowledged(`${path}.ack`);
    acknowledged.write(state.sequence);
    return new SqliteRaftStore(path, { database, acknowledged, state, log, blobs });
  } catch (cause) {
    database.closeUntouched();
    throw storeError(path, cause);
  }
}

type Parts = {
  readonly database: Database;
  readonly acknowledged: Acknowledged;
  readonly state: StateRow;
  readonly log: LogIndex;
  /** Rows of the blobs by hash. */
  readonly blobs: Map<BlobHash, number>;
};

class SqliteRaftStore implements RaftStore {
  readonly #path: string;
  readonly #database: Database;
  readonly #acknowledged: Acknowledged;
  readonly #log: LogIndex;
  readonly #blobs: Map<BlobHash, number>;
  #state: StateRow;
  #nextBlobRow: number;
  #uncheckpointedBytes = 0;
  /** Set once a write failed in a way after which the files may not be what they seem. */
  #failure: StoreError | null = null;

  constructor(path: string, parts: Parts) {
    this.#path = path;
    this.#database = parts.database;
    this.#acknowledged = parts.acknowledged;
    this.#log = parts.log;
    this.#blobs = parts.blobs;
    this.#state = parts.state;
    this.#nextBlobRow = Math.max(0, ...parts.blobs.values()) + 1;
  }

  load(): StoredState {
    const { hardState, snapshot } = this.#state;
    const { firstIndex, lastIndex, memberships } = this.#log;
    return { hardState, snapshot, firstIndex, lastIndex, memberships };
  }

  term(index: number): number | null {
    const { snapshot } = this.#state;
    return this.#log.term(index) ?? (snapshot?.index === index ? snapshot.term : null);
  }

  entries(from: number, to: number, bytesMax: number): Entry[] {
    const { firstIndex, lastIndex } = this.#log;
    invariant(firstIndex <= from && from < to && to <= lastIndex + 1, `entries ${from} to ${to} are in the log`);
    const found: Entry[] = [];
    let bytes = 0;
    this.#read(() => {
      const sql = "SELECT idx, term, kind, data, crc FROM entry WHERE idx >= ? AND idx < ? ORDER BY idx";
      for (const row of this.#database.rows(sql, from, to)) {
        // The columns are those of the statement; their values are what the checksum covers.
        const entry = entryOf(row as EntryRow);
        if (entry?.index !== from + found.length) break;
        bytes += entryBytes(entry);
        if (bytes > bytesMax && found.length > 0) return;
        found.push(entry);
      }
      if (from + found.length < to) throw damaged(this.#path, `entry ${from + found.length} of the log is unreadable`);
    });
    return found;
  }

  save(change: StoreChange): void {
    const { hardState, snapshot, entries = [] } = change;
    const first = entries[0]?.index ?? null;
    const [firstIndex, lastIndex] = snapshot
      ? [snapshot.meta.index + 1, snapshot.meta.index]
      : [this.#log.firstIndex, this.#log.lastIndex];
    invariant(first === null || (first >= firstIndex && first <= lastIndex + 1), `entries join the log at ${first}`);
    let bytes = snapshot?.data.length ?? 0;
    this.#change(() => {
      let { entryDigest } = this.#state;
      let dropped = { firstIndex, digest: 0 };
      if (snapshot) {
        this.#replaceSnapshot(snapshot);
        this.#database.run("DELETE FROM entry");
        entryDigest = 0;
      } else {
        if (first !== null && first <= lastIndex) entryDigest ^= this.#drop("idx >= ?", first);
        dropped = this.#dropBefore(firstIndex, DROPPED_WITH_SAVE + 2 * entries.length);
        entryDigest ^= dropped.digest;
      }
      for (const [offset, entry] of entries.entries()) {
        invariant(entry.index === (first ?? 0) + offset, "entries are one run");
        const row = entryRow(entry);
        this.#database.run("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", row.idx, row.term, row.kind, row.data, row.crc);
        entryDigest ^= row.crc;
        bytes += row.data.length + 32;
      }
      return {
        entryDigest,
        firstIndex: dropped.firstIndex,
        lastIndex: entries.at(-1)?.index ?? lastIndex,
        ...(hardState && { hardState }),
        ...(snapshot && { snapshot: snapshot.meta }),
      };
    });
    if (snapshot) this.#log.restartAt(snapshot.meta.index + 1);
    else if (first !== null && first <= lastIndex) this.#log.truncateFrom(first);
    for (const entry of entries) this.#log.append(entry);
    this.#checkpointAfter(bytes);
  }

  compact(upTo: number, snapshot: Snapshot): void {
    const { firstIndex, lastIndex } = this.#log;
    const { meta } = snapshot;
    invariant(upTo <= meta.index && meta.index <= lastIndex, `compaction to ${upTo} is covered by the snapshot`);
    const newFirst = Math.max(firstIndex, upTo + 1);
    this.#change(() => {
      this.#replaceSnapshot(snapshot);
      const dropped = this.#dropBefore(newFirst, DROPPED_AT_ONCE_MAX);
      return { entryDigest: this.#state.entryDigest ^ dropped.digest, firstIndex: dropped.firstIndex, snapshot: meta };
    });
    this.#log.dropBefore(newFirst);
    this.#checkpointAfter(snapshot.data.length);
  }

  snapshotBytes(offset: number, bytesMax: number): Uint8Array {
    const { snapshot } = this.#state;
    invariant(snapshot !== null, "there is a snapshot to read");
    invariant(offset >= 0 && offset <= snapshot.bytes, `offset ${offset} is in the snapshot`);
    const bytes = new Uint8Array(Math.min(bytesMax, snapshot.bytes - offset));
    this.#read(() => {
      for (let done = 0; done < bytes.length; ) {
        const part = Math.floor((offset + done) / SNAPSHOT_PART_BYTES);
        const row = this.#database.first("SELECT data, crc FROM snapshot_part WHERE part = ?", part);
        const data = row?.["data"];
        if (!(data instanceof Uint8Array) || namedCrc(partName(snapshot, part), data) !== row?.["crc"]) {
          throw damaged(this.#path, `part ${part} of the snapshot is unreadable`);
        }
        const start = offset + done - part * SNAPSHOT_PART_BYTES;
        const taken = data.subarray(start, start + bytes.length - done);
        bytes.set(taken, done);
        done += taken.length;
      }
    });
    return bytes;
  }

  putBlob(hash: BlobHash, bytes: Uint8Array): void {
    if (this.#blobs.has(hash)) return;
    const row = this.#nextBlobRow;
    this.#change(() => {
      this.#database.run("INSERT INTO blob VALUES (?, ?, ?, ?)", row, hash, bytes, namedCrc(hash, bytes));
      return { blobCount: this.#state.blobCount + 1, blobDigest: this.#state.blobDigest ^ namedCrc(hash) };
    });
    this.#nextBlobRow += 1;
    this.#blobs.set(hash, row);
    this.#checkpointAfter(bytes.length);
  }

  blob(hash: BlobHash): Uint8Array | null {
    const id = this.#blobs.get(hash);
    if (id === undefined) return null;
    return this.#read(() => {
      const row = this.#database.first("SELECT data, crc FROM blob WHERE id = ?", id);
      const data = row?.["data"];
      if (data instanceof Uint8Array && namedCrc(hash, data) === row?.["crc"]) return data;
      throw damaged(this.#path, `blob ${hash} is unreadable`);
    });
  }

  dropBlob(hash: BlobHash): void {
    const id = this.#blobs.get(hash);
    if (id === undefined) return;
    this.#change(() => {
      this.#database.run("DELETE FROM blob WHERE id = ?", id);
      return { blobCount: this.#state.blobCount - 1, blobDigest: this.#state.blobDigest ^ namedCrc(hash) };
    });
    this.#blobs.delete(hash);
    this.#checkpointAfter(0);
  }

  blobHashes(): BlobHash[] {
    return [...this.#blobs.keys()];
  }

  close(): void {
    if (this.#failure?.code === "closed") return;
    const isSound = this.#failure === null;
    this.#failure = new StoreError("closed", `The store ${this.#path} is closed.`);
    try {
      if (isSound) this.#acknowledged.sync();
    } finally {
      this.#acknowledged.close();
      if (isSound) this.#database.close();
      else this.#database.closeUntouched();
    }
  }

  /** One durable transaction that ends with the state row; its count is then the acknowledged one. */
  #change(work: () => Partial<StateRow>): void {
    if (this.#failure) throw this.#failure;
    let next = this.#state;
    try {
      this.#database.transaction(() => {
        next = { ...this.#state, ...work(), sequence: this.#state.sequence + 1 };
        const { body, crc } = stateText(next);
        this.#database.run("UPDATE state SET body = ?, crc = ? WHERE id = 1", body, crc);
      });
      this.#acknowledged.write(next.sequence);
    } catch (cause) {
      throw this.#failed(cause);
    }
    this.#state = next;
  }

  #failed(cause: unknown): unknown {
    const error = storeError(this.#path, cause);
    if (!(error instanceof StoreError)) return error;
    // A full disk is found before the transaction counts. After anything else (a sync that failed) nothing is certain.
    if (error.code === "disk-full" && (cause as { errcode?: unknown }).errcode !== undefined) {
      this.#uncheckpointedBytes = CHECKPOINT_BYTES;
    } else {
      this.#failure = error;
    }
    return error;
  }

  #read<T>(work: () => T): T {
    if (this.#failure) throw this.#failure;
    try {
      return work();
    } catch (cause) {
      throw storeError(this.#path, cause);
    }
  }

  #replaceSnapshot({ meta, data }: Snapshot): void {
    invariant(meta.bytes === data.length, "a snapshot's length is that of its data");
    this.#database.run("DELETE FROM snapshot_part");
    for (let part = 0; part * SNAPSHOT_PART_BYTES < data.length; part++) {
      const bytes = data.subarray(part * SNAPSHOT_PART_BYTES, (part + 1) * SNAPSHOT_PART_BYTES);
      const crc = namedCrc(partName(meta, part), bytes);
      this.#database.run("INSERT INTO snapshot_part VALUES (?, ?, ?)", part, bytes, crc);
    }
  }

  /**
   * Deletes `rowsMax` of the rows before `index`, the oldest first; gives where the rows begin then. Until all are gone the
   * database holds more than the log that `load` tells of; a store that is opened then begins where its rows do.
   */
  #dropBefore(index: number, rowsMax: number): { readonly firstIndex: number; readonly digest: number } {
    const { firstIndex: oldest } = this.#state;
    if (oldest >= index) return { firstIndex: oldest, digest: 0 };
    const firstIndex = Math.min(index, oldest + rowsMax);
    return { firstIndex, digest: this.#drop("idx < ?", firstIndex) };
  }

  /** Gives the digest of what it dropped. */
  #drop(where: "idx >= ?" | "idx < ?", index: number): number {
    let digest = 0;
    for (const row of this.#database.all(`SELECT crc FROM entry WHERE ${where}`, index)) digest ^= row["crc"] as number;
    this.#database.run(`DELETE FROM entry WHERE ${where}`, index);
    return digest;
  }

  #checkpointAfter(bytes: number): void {
    this.#uncheckpointedBytes += CHANGE_BYTES + bytes * 1.25;
    if (this.#uncheckpointedBytes < CHECKPOINT_BYTES) return;
    this.#uncheckpointedBytes = 0;
    try {
      this.#database.checkpoint("PASSIVE");
      this.#acknowledged.sync();
    } catch (cause) {
      const error = storeError(this.#path, cause);
      // What was saved is durable in the log; a full disk is told by the next save that does not fit.
      if (error instanceof StoreError && error.code !== "disk-full") this.#failure = error;
    }
  }
}
