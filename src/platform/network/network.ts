/**
 * The transport: which connection to which peer is used, who is let in, and what waits for a connection.
 *
 * libp2p is loaded by `start`, so that naming the transport costs nothing.
 */
import type { Connection, Stream } from "@libp2p/interface";
import {
  type Address,
  type Channel,
  GUEST_PROTOCOLS,
  invariant,
  type KeyPair,
  type Keys,
  type Log,
  OPEN_TIMEOUT_MS,
  type OpenOptions,
  type PeerId,
  POST_BYTES_MAX,
  type Transport,
  TransportError,
  type TransportHooks,
} from "../../kernel/mod.ts";
import { createKeys } from "../keys.ts";
import { parseAddress } from "./address.ts";
import { protocolFrame, readProtocol, StreamChannel } from "./channel.ts";
import { FrameReader } from "./frames.ts";
import { sayHello } from "./hello.ts";
import {
  CONNECTIONS_MAX,
  CONNECTIONS_PER_PEER_MAX,
  CREDENTIAL_BYTES_MAX,
  GUEST_CHANNELS_MAX,
  GUEST_IDLE_MS,
  GUESTS_MAX,
  HANDSHAKE_TIMEOUT_MS,
  PROTOCOL_NAME_BYTES_MAX,
  RETIRED_MS,
  STOP_GRACE_MS,
  STREAMS_PER_CONNECTION_MAX,
  UNADMITTED_MAX,
} from "./limits.ts";
import { createLink, type Link } from "./link.ts";
import type { Links, StreamProtocol } from "./links.ts";
import { KnownHosts } from "./pace.ts";
import { Peer } from "./peer.ts";
import { Pipe } from "./pipe.ts";
import { RefusalLog } from "./refusal_log.ts";

export interface TransportOptions {
  readonly keyPair: KeyPair;
  readonly log: Log;
  /** Multiaddrs to listen on; port 0 takes a free one; none for a client. */
  readonly listen?: readonly string[];
  /** What others are told instead of the addresses listened on. */
  readonly announce?: readonly string[];
  /** Looks for peers on the local network, and answers those that look. */
  readonly mdns?: boolean;
  /** A peer was seen on the local network; nothing is proven yet. */
  readonly found?: (peer: PeerId, addresses: readonly Address[]) => void;
}

/** @throws {TransportError} "bad-address" when an address is malformed */
export function createTransport(options: TransportOptions): Transport {
  for (const address of [...(options.listen ?? []), ...(options.announce ?? [])]) parseAddress(address);
  return new Network(options);
}

const HELD_STREAMS_MAX = 32;
const SWEEP_MS = 1_000;
const OPEN_ATTEMPTS_MAX = 3;

class Network implements Transport {
  readonly self: PeerId;
  addresses: readonly Address[] = [];
  private readonly options: TransportOptions;
  private readonly keys: Keys = createKeys();
  private readonly refusals: RefusalLog;
  private readonly peers = new Map<PeerId, Peer>();
  /** By libp2p's id of the connection. */
  private readonly links = new Map<string, Link>();
  private readonly unadmitted = new Set<Link>();
  private readonly guests = new Set<Link>();
  private readonly knownHosts = new KnownHosts(() => performance.now());
  private readonly stopping = new AbortController();
  private state: "new" | "running" | "stopped" = "new";
  private network: Links | null = null;
  private hooks: TransportHooks | null = null;
  private sweeper: ReturnType<typeof setInterval> | undefined;

  constructor(options: TransportOptions) {
    this.options = options;
    this.self = this.keys.peerOf(options.keyPair.publicKey);
    this.refusals = new RefusalLog(options.log, () => performance.now());
  }

  async start(hooks: TransportHooks): Promise<void> {
    invariant(this.state === "new", "a transport is started once");
    this.state = "running";
    this.hooks = hooks;
    const { startLinks } = await import("./links.ts");
    const { keyPair, listen = [], announce = [], mdns = false, found } = this.options;
    const network = await startLinks({
      keyPair,
      keys: this.keys,
      listen: listen as Address[],
      announce: announce as Address[],
      refusals: this.refusals,
      mdns,
      found: (peer, addresses) => {
        if (peer !== this.self && this.isRunning()) found?.(peer, addresses);
      },
      mayConnect: (peer) => this.mayConnect(peer),
      isKnownHost: (host) => this.knownHosts.has(host),
      connected: (connection) => this.connected(connection),
      streamed: (protocol, stream, connection) => this.streamed(protocol, stream, connection),
    });
    if (!this.isRunning()) return network.stop();
    this.network = network;
    this.addresses = network.addresses;
    for (const host of ["127.0.0.1", "::1", ...this.addresses.map((address) => parseAddress(address).host)]) {
      this.knownHosts.add(host); // this machine's own processes
    }
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MS);
    this.sweeper.unref?.();
  }

  async stop(): Promise<void> {
    if (this.state === "stopped") return;
    this.state = "stopped";
    clearInterval(this.sweeper);
    const error = new TransportError("stopped", "The transport has been stopped.");
    this.stopping.abort(error);
    for (const peer of this.peers.values()) peer.stop();
    for (const link of this.links.values()) this.close(link, error);
    await this.network?.stop();
    this.addresses = [];
  }

  know(peer: PeerId, addresses: readonly Address[]): void {
    if (peer === this.self) return;
    const parsed = addresses.map(parseAddress);
    if (parsed.length === 0 && !this.peers.has(peer)) return;
    const known = this.peer(peer);
    for (const { host } of parsed) this.knownHosts.add(host);
    for (const { host } of known.addresses) this.knownHosts.delete(host);
    known.addresses = parsed;
    this.forget(known);
  }

  post(peer: PeerId, message: Uint8Array): void {
    invariant(message.length <= POST_BYTES_MAX, `a posted message has at most ${POST_BYTES_MAX} bytes`);
    if (!this.isRunning() || peer === this.self) return;
    const known = this.peers.get(peer);
    if (known !== undefined && known.isReachable) known.post(message);
  }

  async open(peer: PeerId, protocol: string, options: OpenOptions = {}): Promise<Channel> {
    const { signal, timeoutMs = OPEN_TIMEOUT_MS } = options;
    const nameBytes = protocolFrame(protocol).length - protocolFrame("").length;
    invariant(nameBytes <= PROTOCOL_NAME_BYTES_MAX, `a protocol's name has at most ${PROTOCOL_NAME_BYTES_MAX} bytes`);
    this.assertRunning();
    if (peer === this.self) throw new TransportError("bad-address", "A node does not open channels to itself.");
    const deadline = new AbortController();
    const timer = setTimeout(() => {
      deadline.abort(new TransportError("timeout", `No channel to ${peer} within ${timeoutMs} ms.`));
    }, timeoutMs);
    const all = AbortSignal.any([this.stopping.signal, deadline.signal, ...(signal === undefined ? [] : [signal])]);
    try {
      return await this.openOn(this.peer(peer), protocol, all);
    } catch (error) {
      throw asOpenError(error, all, peer);
    } finally {
      clearTimeout(timer);
    }
  }

  isConnected(peer: PeerId): boolean {
    return (this.peers.get(peer)?.links.length ?? 0) > 0;
  }

  disconnect(peer: PeerId, reason: string): void {
    this.peers.get(peer)?.dropPosts();
    const error = new TransportError("aborted", `Disconnected: ${reason}`);
    for (const link of this.links.values()) if (link.peer === peer) this.close(link, error);
  }

  private isRunning(): boolean {
    return this.state === "running";
  }

  private assertRunning(): void {
    if (this.state === "running" && this.network !== null) return;
    throw new TransportError(
      "stopped",
      `The transport has ${this.state === "new" ? "not been started" : "been stopped"}.`,
    );
  }

  private peer(id: PeerId): Peer {
    let peer = this.peers.get(id);
    if (peer === undefined) {
      peer = new Peer(id, {
        self: this.self,
        credential: () => this.credential(),
        dial: (addresses, signal) => this.dial(id, addresses, signal),
        openPostStream: async (link) => link.connection.newStream(["/sage/post/1"], { signal: this.stopping.signal }),
      });
      this.peers.set(id, peer);
    }
    return peer;
  }

  /** Drops what is known of a peer when that is nothing. */
  private forget(peer: Peer): void {
    if (!peer.isReachable && !peer.isDialing) this.peers.delete(peer.id);
  }

  private credential(): Uint8Array {
    invariant(this.hooks !== null, "a started transport has hooks");
    const credential = this.hooks.credential();
    invariant(credential.length <= CREDENTIAL_BYTES_MAX, `a credential has at most ${CREDENTIAL_BYTES_MAX} bytes`);
    return credential;
  }

  private async dial(id: PeerId, addresses: Peer["addresses"], signal: AbortSignal): Promise<Link> {
    this.assertRunning();
    const network = this.network as Links; // asserted above
    const connection = await network.dial(id, addresses, AbortSignal.any([signal, this.stopping.signal]));
    const link = this.links.get(connection.id);
    if (link === undefined) throw new TransportError("unreachable", `${id} closed the connection at once.`);
    return link.ready.promise;
  }

  private async openOn(peer: Peer, protocol: string, signal: AbortSignal): Promise<Channel> {
    for (let attempt = 1; ; attempt++) {
      const link = await peer.linkFor(protocol, signal);
      if (link.channelCount >= STREAMS_PER_CONNECTION_MAX) {
        throw new TransportError("limit", `${link.channelCount} channels to ${link.peer} are open: close some first.`);
      }
      try {
        const stream = await link.connection.newStream(["/sage/channel/1"], { signal });
        const pipe = this.channelPipe(link, stream);
        pipe.send(protocolFrame(protocol));
        return new StreamChannel(pipe, link.peer, protocol);
      } catch (error) {
        // The other side may have closed the connection a moment ago: then there is a new one to be had.
        if (signal.aborted || attempt === OPEN_ATTEMPTS_MAX) throw error;
        if (isClosedError(error))
          this.close(link, new TransportError("unreachable", `${link.peer} closed the connection.`));
      }
    }
  }

  private channelPipe(link: Link, stream: Stream): Pipe {
    const pipe = new Pipe(stream);
    link.channelCount++;
    link.lastTrafficMs = performance.now();
    pipe.onTraffic = () => {
      link.lastTrafficMs = performance.now();
    };
    stream.addEventListener("close", () => {
      link.channelCount--;
    });
    return pipe;
  }

  private mayConnect(id: PeerId): string | null {
    if (!this.isRunning()) return "this node is stopping";
    if (id === this.self) return "it shows this node's own key";
    if (this.links.size >= CONNECTIONS_MAX) return "too many connections";
    const own = [...this.links.values()].filter((link) => link.peer === id);
    if (own.length >= CONNECTIONS_PER_PEER_MAX && own[0] !== undefined) {
      this.close(own[0], new TransportError("limit", "more connections of one peer than allowed"));
    }
    return null;
  }

  /** A connection is encrypted: now credentials are exchanged on it. */
  private connected(connection: Connection): void {
    const link = createLink(connection, this.self);
    this.links.set(connection.id, link);
    this.unadmitted.add(link);
    connection.addEventListener("close", () => this.disconnected(link));
    if (connection.status !== "open") return this.disconnected(link);
    if (!this.isRunning()) return this.close(link, new TransportError("stopped", "The transport has been stopped."));
    if (this.unadmitted.size > UNADMITTED_MAX) {
      this.giveWay(this.unadmitted, "too many connections that have not been admitted");
    }
    link.helloTimer = setTimeout(() => {
      const error = new TransportError("timeout", `${link.peer} did not exchange credentials in time`);
      this.refused(link, error);
      this.close(link, error);
    }, HANDSHAKE_TIMEOUT_MS);
    if (link.dialer !== this.self) return; // the dialer opens the stream
    connection.newStream(["/sage/hello/1"]).then(
      (stream) => this.hello(link, stream),
      (error: Error) => this.close(link, new TransportError("aborted", `${link.peer}: ${error.message}`)),
    );
  }

  /** Closes the oldest of `links`. */
  private giveWay(links: ReadonlySet<Link>, reason: string): void {
    const [oldest] = links;
    if (oldest === undefined) return;
    const error = new TransportError("limit", reason);
    this.refused(oldest, error);
    this.close(oldest, error);
  }

  private hello(link: Link, stream: Stream): void {
    if (!this.isRunning()) return;
    link.shown = this.credential().slice();
    sayHello(new Pipe(stream), {
      credential: link.shown,
      judge: (credential) => {
        if (this.hooks === null || !this.isRunning()) return { kind: "refused", reason: "this node is stopping" };
        return this.hooks.admit(link.peer, credential);
      },
      done: (outcome) => {
        link.outcome = outcome;
        this.admitted(link);
      },
      failed: (error, isOurs) => {
        if (isOurs) this.refused(link, error);
        const who = isOurs ? `This node refuses ${link.peer}` : `${link.peer} refuses this node`;
        if (!isOurs && error.code === "refused") this.hooks?.turnedAway?.(link.peer, error.message);
        link.closing = error.code === "refused" ? new TransportError("refused", `${who}: ${error.message}`) : error;
        // The one that refused gives its reason time to arrive; the other closes.
        if (isOurs) setTimeout(() => this.close(link, error), STOP_GRACE_MS).unref?.();
        else this.close(link, error);
      },
    });
  }

  private admitted(link: Link): void {
    clearTimeout(link.helloTimer);
    this.unadmitted.delete(link);
    if (link.outcome?.theirs !== "guest") {
      this.network?.trust(link.connection);
      this.knownHosts.add(hostOf(link));
    } else if (link.dialer !== this.self) {
      this.guests.add(link);
      if (this.guests.size > GUESTS_MAX) this.giveWay(this.guests, "too many guests");
    }
    const peer = this.peer(link.peer);
    const isFirst = peer.links.length === 0;
    peer.add(link);
    if (isFirst) this.hooks?.connected(link.peer);
    link.ready.resolve(link);
    for (const run of link.held.splice(0)) run();
    peer.flush();
  }

  private streamed(protocol: StreamProtocol, stream: Stream, connection: Connection): void {
    const link = this.links.get(connection.id);
    if (link === undefined || !this.isRunning()) return stream.abort(new Error("closing"));
    if (protocol === "/sage/hello/1") {
      if (link.outcome !== null || link.dialer === this.self) return stream.abort(new Error("no second hello"));
      return this.hello(link, stream);
    }
    const handle = (): void => {
      if (protocol === "/sage/post/1") this.postsArrive(link, stream);
      else this.channelArrives(link, stream);
    };
    if (link.outcome !== null) handle();
    else if (link.held.length < HELD_STREAMS_MAX) link.held.push(handle);
    else stream.abort(new Error("too many streams before admission"));
  }

  private postsArrive(link: Link, stream: Stream): void {
    const { theirs } = link.outcome ?? { theirs: "guest" };
    if (theirs !== "member") {
      this.refused(link, new TransportError("refused", `a ${theirs} posts messages, which only nodes may`));
      return stream.abort(new Error(`a ${theirs} does not post`));
    }
    const pipe = new Pipe(stream);
    const reader = new FrameReader(POST_BYTES_MAX, (message) => {
      if (this.isRunning() && link.closing === null) this.hooks?.posted(link.peer, message);
    });
    pipe.receive({
      data: (bytes) => {
        if (reader.push(bytes)) return;
        const error = new TransportError("limit", "a posted message is too long");
        this.refused(link, error);
        this.close(link, error);
      },
      end: () => pipe.end(),
      closed: () => undefined,
    });
  }

  private channelArrives(link: Link, stream: Stream): void {
    if (link.outcome?.theirs === "guest" && link.channelCount >= GUEST_CHANNELS_MAX) {
      this.refused(link, new TransportError("limit", "a guest opens too many channels"));
      return stream.abort(new Error("too many channels"));
    }
    const pipe = this.channelPipe(link, stream);
    const opened = (protocol: string): void => {
      if (!this.isRunning()) return pipe.abort("this node is stopping");
      if (link.outcome?.theirs === "guest" && !GUEST_PROTOCOLS.includes(protocol)) {
        this.refused(link, new TransportError("refused", `a guest opens ${JSON.stringify(protocol)}`));
        return pipe.abort("guests may not open this protocol");
      }
      this.hooks?.opened(new StreamChannel(pipe, link.peer, protocol));
    };
    readProtocol(pipe, opened, (reason) => this.refused(link, new TransportError("limit", reason)));
  }

  private refused(link: Link, error: TransportError): void {
    const remote = link.connection.remoteAddr.toString().replace(/\/p2p\/.*$/, "");
    this.refusals.write({ remote, peer: link.peer, reason: error.message });
  }

  private close(link: Link, error: TransportError): void {
    link.closing ??= error;
    link.connection.abort(link.closing);
    this.disconnected(link);
  }

  /** The connection is gone; may be called twice. */
  private disconnected(link: Link): void {
    if (!this.links.delete(link.connection.id)) return;
    clearTimeout(link.helloTimer);
    this.unadmitted.delete(link);
    this.guests.delete(link);
    const error = link.closing ?? new TransportError("unreachable", `${link.peer} closed the connection.`);
    link.ready.reject(error);
    const peer = this.peers.get(link.peer);
    if (peer === undefined || link.outcome === null) return;
    if (link.outcome.theirs !== "guest") this.knownHosts.delete(hostOf(link));
    peer.remove(link);
    if (peer.links.length > 0) return;
    this.forget(peer);
    if (this.isRunning()) this.hooks?.disconnected(link.peer);
  }

  /** Closes guests that do nothing, and connections that another one has replaced. */
  private sweep(): void {
    const nowMs = performance.now();
    for (const link of this.links.values()) {
      const idleMs = nowMs - link.lastTrafficMs;
      const { retiredAtMs, outcome } = link;
      if (outcome?.theirs === "guest" && idleMs > GUEST_IDLE_MS) {
        this.close(link, new TransportError("aborted", "a guest was idle"));
      } else if (
        retiredAtMs !== null &&
        link.channelCount === 0 &&
        nowMs - Math.max(retiredAtMs, link.lastTrafficMs) > RETIRED_MS
      ) {
        this.close(link, new TransportError("aborted", "another connection is used"));
      }
    }
  }
}

/** IP address of the other side. */
function hostOf({ connection }: Link): string {
  return connection.remoteAddr.toString().split("/")[2] ?? "";
}

function isClosedError(error: unknown): boolean {
  return error instanceof Error && ["ConnectionClosedError", "MuxerClosedError"].includes(error.name);
}

function asOpenError(error: unknown, signal: AbortSignal, peer: PeerId): TransportError {
  const { reason } = signal as { reason: unknown };
  if (signal.aborted && reason instanceof TransportError) return reason;
  if (signal.aborted)
    return new TransportError("aborted", `Opening a channel to ${peer} was given up.`, { cause: reason });
  if (error instanceof TransportError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TransportError("unreachable", `No channel to ${peer}: ${message}`, { cause: error });
}
