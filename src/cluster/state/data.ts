import type { BlobHash, Keys, PeerId } from "../../kernel/mod.ts";
import { Audit } from "./audit.ts";
import type { Actor } from "./command.ts";
import type * as r from "./records.ts";
import type { Effect } from "./result.ts";
import { Sessions } from "./sessions.ts";

/**
 * All that the replicas agree on. Records are replaced, never changed. Only the order of `sessions` and the rows of `audit`
 * mean anything: no decision may depend on the order of the other maps, since a restored replica has another one.
 */
export interface StateData {
  appliedIndex: number;
  /** Format of the commands that the cluster is at; 0 before it is created. */
  format: number;
  cluster: r.ClusterRecord | null;
  nextSerial: number;
  nextJobNumber: number;
  readonly keys: Map<string, r.KeyRecord>;
  readonly members: Map<PeerId, r.MemberEntry>;
  readonly clients: Map<PeerId, r.ClientEntry>;
  readonly tokens: Map<string, r.TokenRecord>;
  readonly revokedPeers: Map<PeerId, r.RevokedPeer>;
  readonly revokedSerials: Map<number, r.RevokedSerial>;
  readonly settings: Map<string, r.SettingRecord>;
  readonly jobs: Map<string, r.JobRecord>;
  readonly blobs: Map<BlobHash, r.BlobRecord>;
  readonly uploads: Map<BlobHash, r.UploadRecord>;
  sessions: Sessions;
  readonly audit: Audit;
  readonly derived: Derived;
}

/** Follows from the rest; rebuilt after a restore. */
export interface Derived {
  settingChars: number;
  blobBytes: number;
  /** Blobs and uploads that hold a chunk. */
  readonly chunkRefs: Map<BlobHash, number>;
  /** Ended jobs that may be forgotten, in the order in which they ended. */
  readonly endedJobs: Set<string>;
  readonly memberNames: Map<string, PeerId>;
}

/** What a command's application knows besides the command. */
export interface Context {
  readonly index: number;
  readonly atMs: number;
  readonly by: Actor;
  readonly format: number;
  readonly sha256: Keys["sha256"];
  readonly effects: Effect[];
}

export function emptyState(): StateData {
  return {
    appliedIndex: 0,
    format: 0,
    cluster: null,
    nextSerial: 1,
    nextJobNumber: 1,
    keys: new Map(),
    members: new Map(),
    clients: new Map(),
    tokens: new Map(),
    revokedPeers: new Map(),
    revokedSerials: new Map(),
    settings: new Map(),
    jobs: new Map(),
    blobs: new Map(),
    uploads: new Map(),
    sessions: new Sessions(),
    audit: new Audit(),
    derived: { settingChars: 0, blobBytes: 0, chunkRefs: new Map(), endedJobs: new Set(), memberNames: new Map() },
  };
}
