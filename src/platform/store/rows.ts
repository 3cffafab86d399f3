import { crc32 } from "node:zlib";
import type { Entry, HardState, Membership, SnapshotMeta } from "../../raft/mod.ts";

/** Rows of the store: SQLite checks the shape of its pages and not what is in them, so each row has a checksum. */

/** The one row that every change writes. */
export type StateRow = {
  /** Counts changes; compared with what was acknowledged. */
  readonly sequence: number;
  /** Whose store this is; empty when not told. */
  readonly owner: string;
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** Exclusive or of the checksums of all entries, so that no old version of one passes for the new. */
  readonly entryDigest: number;
  readonly blobCount: number;
  /** Exclusive or of the checksums of all blobs' names. */
  readonly blobDigest: number;
  readonly hardState: HardState | null;
  readonly snapshot: SnapshotMeta | null;
};

export type EntryRow = {
  readonly idx: number;
  readonly term: number;
  readonly kind: number;
  readonly data: Uint8Array;
  readonly crc: number;
};

const KINDS = ["noop", "data", "membership"] as const;
const EMPTY = new Uint8Array(0);
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function entryRow(entry: Entry): EntryRow {
  const kind = KINDS.indexOf(entry.kind);
  const data = entryData(entry);
  return { idx: entry.index, term: entry.term, kind, data, crc: entryCrc(entry.index, entry.term, kind, data) };
}

function entryData(entry: Entry): Uint8Array {
  switch (entry.kind) {
    case "noop":
      return EMPTY;
    case "data":
      return entry.data;
    case "membership":
      return encoder.encode(JSON.stringify(entry.membership));
  }
}

/** Null when the row is not as it was written. */
export function entryOf(row: EntryRow): Entry | null {
  const { idx: index, term, data } = row;
  if (!(data instanceof Uint8Array) || entryCrc(index, term, row.kind, data) !== row.crc) return null;
  const kind = KINDS[row.kind];
  switch (kind) {
    case "noop":
      return { kind, index, term };
    case "data":
      return { kind, index, term, data };
    case "membership":
      return { kind, index, term, membership: JSON.parse(decoder.decode(data)) as Membership };
    default:
      return null;
  }
}

const scratch = new DataView(new ArrayBuffer(20));
const scratchBytes = new Uint8Array(scratch.buffer);

function entryCrc(index: number, term: number, kind: number, data: Uint8Array): number {
  scratch.setFloat64(0, index);
  scratch.setFloat64(8, term);
  scratch.setUint32(16, kind);
  return crc32(data, crc32(scratchBytes));
}

/** Checksum of bytes that belong to `name`. */
export function namedCrc(name: string, bytes: Uint8Array = EMPTY): number {
  return crc32(bytes, crc32(encoder.encode(name)));
}

export function stateText(row: StateRow): { readonly body: string; readonly crc: number } {
  const body = JSON.stringify(row);
  return { body, crc: namedCrc(body) };
}

/** Null when the text is not as it was written. */
export function stateOf(row: { readonly body: unknown; readonly crc: unknown }): StateRow | null {
  if (typeof row.body !== "string" || namedCrc(row.body) !== row.crc) return null;
  return JSON.parse(row.body) as StateRow;
}

/** Belongs to one snapshot, so that no part of another passes for it. */
export function partName(snapshot: SnapshotMeta, part: number): string {
  return `${snapshot.index} ${snapshot.term} ${part}`;
}
