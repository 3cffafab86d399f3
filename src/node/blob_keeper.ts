/** Gets the parts of blobs that this node's store lacks: those of a snapshot come without their content. */
import { CHUNK_BYTES_MAX, type Peers } from "../cluster/mod.ts";
import type { BlobHash, PeerId } from "../kernel/mod.ts";
import { blobGet } from "../protocol/mod.ts";
import type { NodePorts } from "./ports.ts";
import type { Replica } from "./replica.ts";

/** Parts fetched in one round; the next round goes on. */
const PARTS_PER_ROUND = 32;

interface MissingPart {
  readonly blob: BlobHash;
  readonly chunk: BlobHash;
  readonly offset: number;
}

export class BlobKeeper {
  readonly #ports: NodePorts;
  readonly #replica: Replica;
  readonly #peers: Peers;
  #isBusy = false;

  constructor(options: { readonly ports: NodePorts; readonly replica: Replica; readonly peers: Peers }) {
    this.#ports = options.ports;
    this.#replica = options.replica;
    this.#peers = options.peers;
  }

  /** Looks for what is missing and fetches some of it from `holders`; to be called now and then. */
  look(holders: readonly PeerId[]): void {
    if (this.#isBusy || this.#replica.state.blobs.size + this.#replica.state.uploads.size === 0) return;
    const missing = this.#missing();
    if (missing.length === 0 || holders.length === 0) return;
    this.#isBusy = true;
    this.#fetchAll(missing, holders)
      .catch((error: unknown) => this.#ports.log.write("debug", "blob not fetched", { reason: String(error) }))
      .finally(() => {
        this.#isBusy = false;
      });
  }

  #missing(): MissingPart[] {
    const { state } = this.#replica;
    const held = new Set(this.#ports.store.blobHashes());
    const missing: MissingPart[] = [];
    for (const { hash, chunks } of [...state.blobs.values(), ...state.uploads.values()]) {
      chunks.forEach((chunk, place) => {
        if (!held.has(chunk)) missing.push({ blob: hash, chunk, offset: place * CHUNK_BYTES_MAX });
      });
      if (missing.length >= PARTS_PER_ROUND) break;
    }
    return missing.slice(0, PARTS_PER_ROUND);
  }

  async #fetchAll(missing: readonly MissingPart[], holders: readonly PeerId[]): Promise<void> {
    for (const part of missing) {
      const holder = holders[Math.floor(this.#ports.random.next() * holders.length)];
      if (holder !== undefined) await this.#fetch(part, holder);
    }
  }

  async #fetch({ blob, chunk, offset }: MissingPart, holder: PeerId): Promise<void> {
    const session = await this.#peers.session(holder);
    for await (const bytes of session.stream(blobGet, { hash: blob, offset }, { deadlineMs: 30_000 })) {
      // Content is named by its hash: a holder cannot pass off anything else.
      if (this.#ports.keys.sha256(bytes) === chunk) this.#ports.store.putBlob(chunk, bytes);
      return;
    }
  }
}
