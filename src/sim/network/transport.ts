import {
  type Address,
  type Channel,
  GUEST_PROTOCOLS,
  invariant,
  OPEN_TIMEOUT_MS,
  type OpenOptions,
  type PeerId,
  type Transport,
  TransportError,
  type TransportHooks,
} from "../../kernel/mod.ts";
import type { Host } from "../world/host.ts";
import type { VirtualChannel } from "./channel.ts";
import { Connection } from "./connection.ts";
import type { Network } from "./network.ts";

const BACK_OFF_MS = 100;
const BACK_OFF_MS_MAX = 5_000;
/** As TCP's first retransmission. */
const SAY_AGAIN_MS = 1_000;
/** Posts that wait for a connection; the oldest are dropped first. */
const WAITING_POSTS_MAX = 256;
const GUEST_MS_MAX = 10_000;

type Waiter = { resolve(connection: Connection): void; reject(error: TransportError): void };

/** What is known of one other peer. */
interface Peer {
  addresses: readonly Address[];
  readonly connections: Connection[];
  isDialing: boolean;
  failureCount: number;
  notBeforeMs: number;
  posts: Uint8Array[];
  waiters: Waiter[];
}

export function addressOf(host: string, peer: PeerId): Address {
  return `/sim/${host}/p2p/${peer}` as Address;
}

/** The Transport port on the virtual network. One instance a life of a host. */
export class VirtualTransport implements Transport {
  readonly self: PeerId;
  readonly host: Host;
  readonly addresses: readonly Address[];
  readonly #network: Network;
  readonly #peers = new Map<PeerId, Peer>();
  readonly #life: number;
  #hooks: TransportHooks | null = null;

  constructor(network: Network, host: Host, self: PeerId) {
    this.#network = network;
    this.host = host;
    this.self = self;
    this.#life = host.life;
    this.addresses = [addressOf(host.name, self)];
  }

  /** Of the host, in which this process lives. */
  get life(): number {
    return this.#life;
  }

  start(hooks: TransportHooks): Promise<void> {
    this.#hooks = hooks;
    for (const address of this.addresses) this.#network.attach(address, this);
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.#end((connection) => connection.close(this, "the other side stopped"));
    return Promise.resolve();
  }

  /** The process is killed: the machine tells the other ends. */
  kill(): void {
    this.#end((connection) => {
      const other = connection.other(this).transport;
      this.#network.deliver(this.host, other.host, () => connection.drop(other, "connection reset"));
      connection.drop(this, "killed");
    });
  }

  #end(close: (connection: Connection) => void): void {
    const peers = [...this.#peers.values()];
    for (const address of this.addresses) this.#network.detach(address, this);
    this.#hooks = null;
    for (const { connections, waiters } of peers) {
      for (const connection of connections.slice()) close(connection);
      for (const waiter of waiters) waiter.reject(new TransportError("stopped", "The transport has stopped"));
    }
    this.#peers.clear();
  }

  know(peer: PeerId, addresses: readonly Address[]): void {
    const known = this.#peer(peer);
    known.addresses = addresses;
    known.notBeforeMs = 0;
  }

  post(peer: PeerId, message: Uint8Array): void {
    if (this.#hooks === null) return;
    this.host.mayCrash(this.#life);
    const known = this.#peer(peer);
    const connection = known.connections.at(-1);
    if (connection !== undefined) return this.#postOver(connection, message);
    if (known.posts.length >= WAITING_POSTS_MAX) known.posts.shift();
    known.posts.push(message);
    this.#dialSoon(peer, known);
  }

  #postOver(connection: Connection, message: Uint8Array): void {
    const { admission } = connection.end(this);
    const other = connection.other(this).transport;
    if (admission.kind === "guest") return;
    this.#network.traffic("post", this.host.name, other.host.name, message);
    this.#network.deliverLossy(this.host, other.host, () => {
      connection.arrived(this);
      if (other.#isMemberOf(connection)) other.#hooks?.posted(this.self, message);
    });
  }

  #isMemberOf(connection: Connection): boolean {
    const end = connection.end(this);
    return end.isOpen && (end.admission.kind === "member" || end.admission.kind === "client");
  }

  async open(peer: PeerId, protocol: string, options: OpenOptions = {}): Promise<Channel> {
    if (this.#hooks === null) throw new TransportError("stopped", "The transport has stopped");
    const connection = this.#peer(peer).connections.at(-1) ?? (await this.#connect(peer, options));
    if (connection.end(this).admission.kind === "guest" && !GUEST_PROTOCOLS.includes(protocol)) {
      throw new TransportError("refused", `${peer} is not admitted`);
    }
    return connection.open(this, protocol);
  }

  #connect(peer: PeerId, { signal, timeoutMs = OPEN_TIMEOUT_MS }: OpenOptions): Promise<Connection> {
    const known = this.#peer(peer);
    return new Promise((resolve, reject) => {
      const cancel = this.host.wake(timeoutMs, () => waiter.reject(timeout(peer, timeoutMs)));
      const leave = () => {
        cancel();
        known.waiters = known.waiters.filter((other) => other !== waiter);
      };
      const waiter: Waiter = {
        resolve: (connection) => {
          leave();
          resolve(connection);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      signal?.addEventListener("abort", () => waiter.reject(new TransportError("aborted", "Opening was cancelled")));
      known.waiters.push(waiter);
      this.#dial(peer, known);
    });
  }

  isConnected(peer: PeerId): boolean {
    return (this.#peers.get(peer)?.connections.length ?? 0) > 0;
  }

  disconnect(peer: PeerId, reason: string): void {
    for (const connection of this.#peers.get(peer)?.connections.slice() ?? []) connection.close(this, reason);
  }

  /** The other side opened a channel. */
  accept(connection: Connection, channel: VirtualChannel): void {
    const { admission } = connection.end(this);
    if (admission.kind === "guest" && !GUEST_PROTOCOLS.includes(channel.protocol)) return channel.abort("not admitted");
    this.#hooks?.opened(channel);
  }

  lost(connection: Connection): void {
    const peer = connection.peerOf(this);
    const known = this.#peers.get(peer);
    if (known === undefined) return;
    const at = known.connections.indexOf(connection);
    if (at >= 0) known.connections.splice(at, 1);
    if (known.connections.length === 0) this.#hooks?.disconnected(peer);
  }

  #peer(peer: PeerId): Peer {
    let known = this.#peers.get(peer);
    if (known === undefined) {
      known = {
        addresses: [],
        connections: [],
        isDialing: false,
        failureCount: 0,
        notBeforeMs: 0,
        posts: [],
        waiters: [],
      };
      this.#peers.set(peer, known);
    }
    return known;
  }

  #dialSoon(peer: PeerId, known: Peer): void {
    if (this.host.nowMs() >= known.notBeforeMs) this.#dial(peer, known);
  }

  /** Three messages, as in a handshake: credential, credential back, established. */
  #dial(peer: PeerId, known: Peer): void {
    if (known.isDialing) return;
    known.isDialing = true;
    let begun: Connection | string | null = null;
    const giveUp = this.host.wake(OPEN_TIMEOUT_MS, () => {
      if (begun instanceof Connection) begun.drop(this, "the dialer gave up");
      this.#failed(known, timeout(peer, OPEN_TIMEOUT_MS));
    });
    const failed = (error: TransportError) => {
      giveUp();
      this.#failed(known, error);
    };
    const target = this.#network.find(known.addresses, peer);
    if (target === null) {
      this.host.wake(1, () => failed(new TransportError("unreachable", `${peer} does not answer`)));
      return;
    }
    const credential = this.#hooks?.credential() ?? new Uint8Array();
    const isOver = () => !known.isDialing;
    this.#say(this, target, isOver, () => {
      const connection = target.#greeted(this, credential);
      begun = connection;
      this.#say(target, this, isOver, () => {
        if (typeof connection === "string") {
          this.#hooks?.turnedAway?.(peer, connection);
          return failed(new TransportError("refused", connection));
        }
        if (this.#hooks === null || !known.isDialing) return connection.drop(target, "the dialer went away");
        giveUp();
        this.#established(known, connection);
      });
    });
  }

  /** Said again until it arrives, as TCP does with what begins a connection. */
  #say(from: VirtualTransport, to: VirtualTransport, isOver: () => boolean, heard: () => void): void {
    let hasArrived = false;
    const attempt = (againMs: number): void => {
      this.#network.deliver(from.host, to.host, () => {
        if (hasArrived) return;
        hasArrived = true;
        heard();
      });
      from.host.wake(againMs, () => {
        if (!hasArrived && !isOver()) attempt(2 * againMs);
      });
    };
    attempt(SAY_AGAIN_MS);
  }

  /** The listener's side of a handshake: a connection, or why not. */
  #greeted(dialer: VirtualTransport, credential: Uint8Array): Connection | string {
    if (this.#hooks === null) return "the node is stopping";
    const admission = this.#hooks.admit(dialer.self, credential);
    if (admission.kind === "refused") return admission.reason;
    const connection = new Connection(this.#network, dialer, this);
    const end = connection.end(this);
    end.admission = admission;
    this.#use(connection);
    return connection;
  }

  #established(known: Peer, connection: Connection): void {
    known.isDialing = false;
    const other = connection.other(this).transport;
    const admission = this.#hooks?.admit(other.self, other.#hooks?.credential() ?? new Uint8Array());
    invariant(admission, "a transport that dials has been started");
    if (admission.kind === "refused") {
      this.#network.deliver(this.host, other.host, () => other.#hooks?.turnedAway?.(this.self, admission.reason));
      connection.close(this, admission.reason);
      return this.#failed(known, new TransportError("refused", admission.reason));
    }
    if (!connection.other(this).isOpen) return this.#failed(known, new TransportError("unreachable", "reset"));
    connection.end(this).admission = admission;
    known.failureCount = 0;
    this.#use(connection);
    for (const waiter of known.waiters.slice()) waiter.resolve(connection);
  }

  #use(connection: Connection): void {
    const peer = connection.peerOf(this);
    const known = this.#peer(peer);
    connection.end(this).isOpen = true;
    known.connections.push(connection);
    if (connection.end(this).admission.kind === "guest") {
      this.host.wake(GUEST_MS_MAX, () => connection.close(this, "guests leave after 10 s"));
    }
    if (known.connections.length === 1) this.#hooks?.connected(peer);
    for (const message of known.posts.splice(0)) this.#postOver(connection, message);
  }

  #failed(known: Peer, error: TransportError): void {
    known.isDialing = false;
    known.posts = [];
    const backOffMs = Math.min(BACK_OFF_MS * 2 ** known.failureCount++, BACK_OFF_MS_MAX);
    known.notBeforeMs = this.host.nowMs() + backOffMs * (0.5 + this.host.next());
    for (const waiter of known.waiters.slice()) waiter.reject(error);
  }
}

function timeout(peer: PeerId, timeoutMs: number): TransportError {
  return new TransportError("timeout", `${peer} did not answer within ${timeoutMs} ms`);
}
