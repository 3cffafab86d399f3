import { type PeerId, StoreError } from "../kernel/mod.ts";
import { recoveryChange } from "../raft/mod.ts";
import { openDataDirectory } from "./data_directory.ts";
import { createKeys } from "./keys.ts";
import { openRaftStore } from "./store/raft_store.ts";

export interface Recovery {
  readonly peer: PeerId;
  /** Log index from which on the node is alone. */
  readonly index: number;
  /** Voters that it goes on without. */
  readonly lostVoters: readonly PeerId[];
}

/**
 * Writes into the log of a stopped node that it is the only voter. What it has counts as committed.
 *
 * @throws {StoreError} in-use, damaged, foreign; not-writable for a directory that holds no log
 */
export function recoverNode(path: string): Recovery {
  const directory = openDataDirectory(path, createKeys());
  try {
    const { peer, storePath } = directory;
    const store = openRaftStore(storePath, { owner: peer });
    try {
      const stored = store.load();
      if (stored.hardState === null && stored.lastIndex === 0) {
        throw new StoreError("not-writable", `${path} holds no log: this node has never been part of a cluster.`);
      }
      const before = stored.memberships.at(-1)?.membership ?? stored.snapshot?.membership;
      const change = recoveryChange(stored, { voters: [peer], learners: [] });
      store.save(change);
      const lostVoters = (before?.voters ?? []).filter((voter) => voter !== peer);
      return { peer, index: change.entries?.at(-1)?.index ?? stored.lastIndex, lostVoters };
    } finally {
      store.close();
    }
  } finally {
    directory.close();
  }
}
