import type { Clock, Log, PeerId, Transport } from "../../kernel/mod.ts";
import { type MethodTable, type Role, RpcSession, type VersionRange } from "../../protocol/mod.ts";

export const RPC_PROTOCOL = "/sage/rpc/1";

export interface PeersOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly transport: Transport;
  readonly versions: VersionRange;
  /** What this side answers on sessions that it opened itself. */
  readonly table: MethodTable;
  readonly roleOf: (peer: PeerId) => Role;
}

/** One session to each peer that this process calls; opened when needed, and again after it ended. */
export class Peers {
  readonly #options: PeersOptions;
  readonly #sessions = new Map<PeerId, Promise<RpcSession>>();
  readonly #opened = new Map<PeerId, RpcSession>();

  constructor(options: PeersOptions) {
    this.#options = options;
  }

  /** The session that is open now, for callers that would only have to wait for it; null: there is none. */
  opened(peer: PeerId): RpcSession | null {
    return this.#opened.get(peer) ?? null;
  }

  /** @throws {TransportError} not reachable, refused */
  session(peer: PeerId): Promise<RpcSession> {
    const known = this.#sessions.get(peer);
    if (known !== undefined) return known;
    const opening = this.#open(peer);
    this.#sessions.set(peer, opening);
    opening.catch(() => this.#sessions.delete(peer));
    return opening;
  }

  close(reason: string): void {
    for (const opening of this.#sessions.values()) {
      opening.then(
        (session) => session.close(reason),
        () => undefined,
      );
    }
    this.#sessions.clear();
    this.#opened.clear();
  }

  async #open(peer: PeerId): Promise<RpcSession> {
    const { clock, log, transport, versions, table, roleOf } = this.#options;
    const channel = await transport.open(peer, RPC_PROTOCOL);
    const session = new RpcSession(channel, {
      clock,
      versions,
      log,
      role: () => roleOf(peer),
      closed: () => {
        this.#sessions.delete(peer);
        this.#opened.delete(peer);
      },
    });
    session.serve(table);
    this.#opened.set(peer, session);
    return session;
  }
}
