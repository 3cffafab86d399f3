import type { BlobHash } from "../../kernel/mod.ts";
import type { Entry, HardState, Snapshot } from "../../raft/mod.ts";

/** What one host's disk holds: it outlives the host's processes. */
export class VirtualDisk {
  hardState: HardState | null = null;
  snapshot: Snapshot | null = null;
  /** `log[0]` has index `firstIndex`. */
  firstIndex = 1;
  log: Entry[] = [];
  readonly blobs = new Map<BlobHash, Uint8Array>();
  /** Small files that a node keeps besides its log, by name. */
  readonly files = new Map<string, Uint8Array>();
  /** Writes fail while it is full. */
  isFull = false;
  /** Mean time that a durable write takes. */
  writeMs = 0.2;
  writeCount = 0;
}
