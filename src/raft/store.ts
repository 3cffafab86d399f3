/**
 * The disk as the consensus machine sees it, and the only port of this folder. Synchronous: when a call returns, its
 * effect survives a crash of process and machine.
 *
 * Contract, which `test/raft/store_conformance.ts` checks:
 * - The log is one run of entries `firstIndex..lastIndex`, which starts at most one after the snapshot's index. It may
 *   start earlier: compaction can keep entries that the snapshot covers. Empty: `lastIndex === firstIndex - 1`.
 * - `save` and `compact` are each one transaction: after a crash all of it is there, or nothing.
 * - A call that throws has changed nothing. The node then stops: what is not saved must not be sent.
 */
import type { BlobHash } from "../kernel/mod.ts";
import type { Entry, HardState, MembershipEntry, Snapshot, SnapshotMeta } from "./messages.ts";

export type StoredState = {
  /** Null in a store that never saved one. */
  readonly hardState: HardState | null;
  readonly snapshot: SnapshotMeta | null;
  /** 1 in a new store. */
  readonly firstIndex: number;
  /** 0 in a new store. */
  readonly lastIndex: number;
  /** The log's entries of kind "membership", in order. */
  readonly memberships: readonly MembershipEntry[];
};

/** One transaction, done in the order of the fields. */
export type StoreChange = {
  readonly hardState?: HardState;
  /** Replaces snapshot and whole log: the log is then empty and starts after `snapshot.meta.index`. */
  readonly snapshot?: Snapshot;
  /** One run. What the log holds from its first index on goes; it starts at or before `lastIndex + 1`. */
  readonly entries?: readonly Entry[];
};

export interface RaftStore {
  load(): StoredState;
  /**
   * Entries with `from <= index < to`, in order, as many as fit `bytesMax` by `entryBytes`, but at least one.
   * `firstIndex <= from < to <= lastIndex + 1`.
   */
  entries(from: number, to: number, bytesMax: number): Entry[];
  /** Term at `index`, also at the snapshot's index; null where neither log nor snapshot tells. */
  term(index: number): number | null;
  save(change: StoreChange): void;
  /** Replaces the snapshot and drops entries up to `upTo` included; `upTo <= snapshot.meta.index <= lastIndex`. */
  compact(upTo: number, snapshot: Snapshot): void;
  /** Bytes of the snapshot from `offset` on, `bytesMax` of them or up to its end. There is a snapshot. */
  snapshotBytes(offset: number, bytesMax: number): Uint8Array;
  /** Blobs are content-addressed and immutable: putting one that is there does nothing. */
  putBlob(hash: BlobHash, bytes: Uint8Array): void;
  blob(hash: BlobHash): Uint8Array | null;
  dropBlob(hash: BlobHash): void;
  /** In any order. */
  blobHashes(): BlobHash[];
  close(): void;
}

/** Bytes that an entry counts for in every limit: its data, and a fixed part for the rest. */
export function entryBytes(entry: Entry): number {
  switch (entry.kind) {
    case "data":
      return ENTRY_OVERHEAD_BYTES + entry.data.length;
    case "membership":
      return ENTRY_OVERHEAD_BYTES + 64 * (entry.membership.voters.length + entry.membership.learners.length);
    case "noop":
      return ENTRY_OVERHEAD_BYTES;
  }
}

const ENTRY_OVERHEAD_BYTES = 16;
