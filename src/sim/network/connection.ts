import type { Admission, PeerId } from "../../kernel/mod.ts";
import { VirtualChannel } from "./channel.ts";
import { BREAK_AFTER_MS, type Network } from "./network.ts";
import type { VirtualTransport } from "./transport.ts";

/** One end of a connection: a transport, and what it thinks of the other. */
export interface End {
  readonly transport: VirtualTransport;
  admission: Admission;
  isOpen: boolean;
  /** It was open and is not any more, or its side gave up before: what arrives for it is answered with a reset. */
  isOver: boolean;
  readonly channels: Set<VirtualChannel>;
}

/** Two transports that have proven who they are and judged each other's credential. */
export class Connection {
  readonly network: Network;
  readonly #ends: readonly [End, End];
  #cutSinceMs: number | null = null;

  constructor(network: Network, dialer: VirtualTransport, listener: VirtualTransport) {
    this.network = network;
    const end = (transport: VirtualTransport): End => ({
      transport,
      admission: { kind: "guest" },
      isOpen: false,
      isOver: false,
      channels: new Set(),
    });
    this.#ends = [end(dialer), end(listener)];
    network.opened(this);
  }

  end(transport: VirtualTransport): End {
    return this.#ends[0].transport === transport ? this.#ends[0] : this.#ends[1];
  }

  other(transport: VirtualTransport): End {
    return this.#ends[0].transport === transport ? this.#ends[1] : this.#ends[0];
  }

  peerOf(transport: VirtualTransport): PeerId {
    return this.other(transport).transport.self;
  }

  /** Makes both ends of a channel; the far one learns of it when the first message arrives. */
  open(from: VirtualTransport, protocol: string): VirtualChannel {
    const near = new VirtualChannel(this, from, protocol);
    const other = this.other(from);
    const far = new VirtualChannel(this, other.transport, protocol);
    near.join(far);
    this.end(from).channels.add(near);
    near.transmit(() => {
      if (!other.isOpen) return;
      other.channels.add(far);
      other.transport.accept(this, far);
    });
    return near;
  }

  /** Ends this side at once and lets the other know, if it can be reached. */
  close(transport: VirtualTransport, reason: string): void {
    const other = this.other(transport);
    this.drop(transport, reason);
    this.network.deliver(transport.host, other.transport.host, () => this.drop(other.transport, reason));
  }

  /** One end is gone. */
  drop(transport: VirtualTransport, reason: string): void {
    const end = this.end(transport);
    if (!end.isOver) {
      end.isOver = true;
      for (const channel of this.other(transport).channels) channel.farIsOver();
    }
    if (!end.isOpen) return;
    end.isOpen = false;
    for (const channel of Array.from(end.channels)) channel.broken(reason);
    transport.lost(this);
    if (!this.other(transport).isOpen) this.network.closed(this);
  }

  /** Something arrived from `transport` at the other end; where that is over, its machine says so. */
  arrived(transport: VirtualTransport): void {
    const other = this.other(transport);
    if (!other.isOver) return;
    this.network.deliver(other.transport.host, transport.host, () => this.drop(transport, "connection reset"));
  }

  /** Breaks when one direction has been cut for long: without it no acknowledgement comes back either. */
  watch(): void {
    const [a, b] = this.#ends;
    const { links, world } = this.network;
    const isCut =
      links.isCut(a.transport.host.name, b.transport.host.name) ||
      links.isCut(b.transport.host.name, a.transport.host.name);
    if (!isCut) {
      this.#cutSinceMs = null;
      return;
    }
    this.#cutSinceMs ??= world.nowMs;
    if (world.nowMs - this.#cutSinceMs < BREAK_AFTER_MS) return;
    for (const { transport } of this.#ends) {
      world.schedule({
        atMs: world.nowMs,
        host: transport.host,
        run: () => this.drop(transport, "connection timed out"),
      });
    }
  }
}
