/** Transports of one process, over loopback channels: both sides judge each other as real ones do. */
import type { Channel, PeerId, Transport, TransportHooks } from "../../src/kernel/mod.ts";
import { TransportError } from "../../src/kernel/mod.ts";
import { type LoopbackChannel, loopback } from "../support/loopback.ts";

export class LoopbackNetwork {
  readonly stations = new Map<PeerId, LoopbackTransport>();

  transport(self: PeerId): LoopbackTransport {
    return new LoopbackTransport(this, self);
  }
}

export class LoopbackTransport implements Transport {
  readonly self: PeerId;
  readonly addresses = [];
  hooks: TransportHooks | null = null;
  readonly channels = new Set<LoopbackChannel>();
  readonly #network: LoopbackNetwork;
  readonly #connected = new Set<PeerId>();

  constructor(network: LoopbackNetwork, self: PeerId) {
    this.#network = network;
    this.self = self;
  }

  start(hooks: TransportHooks): Promise<void> {
    this.hooks = hooks;
    this.#network.stations.set(this.self, this);
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#network.stations.delete(this.self);
    for (const channel of this.channels) channel.abort("the transport stopped");
    return Promise.resolve();
  }

  know(): void {}
  post(): void {}

  async open(peer: PeerId, protocol: string): Promise<Channel> {
    await Promise.resolve();
    const other = this.#network.stations.get(peer);
    const [own, theirs] = [this.hooks, other?.hooks];
    if (other === undefined || own === null || !theirs)
      throw new TransportError("unreachable", `${peer} is not there.`);
    if (!this.#connected.has(peer)) this.#meet(other);
    const [near, far] = loopback({ protocol, peers: [this.self, peer], windowBytes: 1 << 18 });
    this.channels.add(near);
    other.channels.add(far);
    theirs.opened(far);
    return near;
  }

  isConnected(peer: PeerId): boolean {
    return this.#connected.has(peer);
  }

  disconnect(peer: PeerId): void {
    if (!this.#connected.delete(peer)) return;
    for (const channel of this.channels) if (channel.peer === peer) channel.abort("disconnected");
    this.hooks?.disconnected(peer);
    this.#network.stations.get(peer)?.disconnect(this.self);
  }

  #meet(other: LoopbackTransport): void {
    const [own, theirs] = [this.hooks as TransportHooks, other.hooks as TransportHooks];
    for (const verdict of [theirs.admit(this.self, own.credential()), own.admit(other.self, theirs.credential())]) {
      if (verdict.kind === "refused") throw new TransportError("refused", verdict.reason);
    }
    this.#connected.add(other.self);
    other.#connected.add(this.self);
  }
}
