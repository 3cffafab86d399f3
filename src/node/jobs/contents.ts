/** Content by its hash: plans, outlines and bundles, from this node's store or from other members'. */
import type { Peers } from "../../cluster/mod.ts";
import { type BlobHash, type Clock, joinBytes, type Keys, type PeerId } from "../../kernel/mod.ts";
import { blobGet } from "../../protocol/mod.ts";
import { NodeError } from "../error.ts";
import type { NodePorts } from "../ports.ts";
import type { Replica } from "../replica.ts";
import { pause } from "./pause.ts";

export interface ContentsOptions {
  readonly clock: Clock;
  readonly keys: Pick<Keys, "sha256">;
  readonly store: Pick<NodePorts["store"], "blob">;
  readonly replica: Replica;
  readonly self: PeerId;
  readonly peers: () => Peers;
}

const RETRY_MS = 200;
const TRIES_MAX = 25;
const FETCH_DEADLINE_MS = 30_000;

export class Contents {
  readonly #options: ContentsOptions;

  constructor(options: ContentsOptions) {
    this.#options = options;
  }

  /** @throws {NodeError} not-found: no member that can be asked has it */
  async get(hash: BlobHash, signal: AbortSignal): Promise<Uint8Array> {
    for (let tries = 0; tries < TRIES_MAX && !signal.aborted; tries++) {
      const bytes = this.here(hash) ?? (await this.#fetch(hash, signal));
      if (bytes !== null) return bytes;
      await pause(this.#options.clock, RETRY_MS, signal);
    }
    throw new NodeError("not-found", `Cannot get blob ${hash}: no member has it.`, { retryable: true });
  }

  /** Null when this node does not have all of it. */
  here(hash: BlobHash): Uint8Array | null {
    const { replica, store } = this.#options;
    const blob = replica.state.blobs.get(hash);
    if (blob === undefined) return null;
    const parts: Uint8Array[] = [];
    for (const chunk of blob.chunks) {
      const bytes = store.blob(chunk);
      if (bytes === null) return null;
      parts.push(bytes);
    }
    return joinBytes(parts);
  }

  async #fetch(hash: BlobHash, signal: AbortSignal): Promise<Uint8Array | null> {
    const { replica, self, peers, keys } = this.#options;
    const { leader, membership } = replica.consensus.status();
    const holders = new Set([...(leader === null ? [] : [leader]), ...membership.voters]);
    holders.delete(self);
    for (const holder of holders) {
      try {
        const session = await peers().session(holder);
        const parts: Uint8Array[] = [];
        const how = { deadlineMs: FETCH_DEADLINE_MS, signal };
        for await (const part of session.stream(blobGet, { hash, offset: 0 }, how)) parts.push(part);
        const whole = joinBytes(parts);
        if (keys.sha256(whole) === hash) return whole;
      } catch {
        // The next one may have it.
      }
    }
    return null;
  }
}
