/** The libp2p transport: TLS listeners and dials whose connections enter libp2p encrypted, with their peer proven. */
import type { Server, Socket } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import {
  type ComponentLogger,
  type Connection,
  type CreateListenerOptions,
  type DialTransportOptions,
  type Listener,
  type ListenerEvents,
  type StreamMuxerFactory,
  type Transport,
  TypedEventEmitter,
  transportSymbol,
  type Upgrader,
} from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import { type Multiaddr, multiaddr } from "@multiformats/multiaddr";
import { type Keys, type PeerId, TransportError } from "../../kernel/mod.ts";
import { formatAddress, parseAddress, reachableHosts } from "./address.ts";
import { CertificateError, type Identity } from "./certificate.ts";
import {
  HANDSHAKE_TIMEOUT_MS,
  HANDSHAKES_MAX,
  KNOWN_PACE,
  STOP_GRACE_MS,
  STRANGER_BYTES_MAX,
  STRANGERS_PACE,
} from "./limits.ts";
import { Pace } from "./pace.ts";
import type { RefusalLog } from "./refusal_log.ts";
import { TlsConnection } from "./tls_connection.ts";
import { dialSocket, provenPeer, serverOptions } from "./tls_socket.ts";

export interface TlsTransportOptions {
  readonly identity: Identity;
  readonly keys: Keys;
  readonly refusals: RefusalLog;
  readonly logger: ComponentLogger;
  readonly muxer: StreamMuxerFactory;
  /** Whether another connection of `peer` may be had. */
  readonly mayConnect: (peer: PeerId) => string | null;
  /** Whether that IP address is one of a member, or somebody there is or was admitted. */
  readonly isKnownHost: (host: string) => boolean;
}

function isOurs(address: Multiaddr): boolean {
  try {
    parseAddress(address.toString());
    return true;
  } catch {
    return false;
  }
}

export class TlsTransport implements Transport {
  readonly [Symbol.toStringTag] = "sage-tls";
  readonly [transportSymbol] = true;
  /** Why listening failed, in our words: libp2p tells it as one text for all addresses. */
  listenError: TransportError | null = null;
  /** Addresses with ports as they came out. */
  readonly bound: string[] = [];
  private readonly options: TlsTransportOptions;
  /** By the address object that libp2p's connection shows of ours. */
  private readonly connections = new WeakMap<Multiaddr, TlsConnection>();

  constructor(options: TlsTransportOptions) {
    this.options = options;
  }

  /** The peer of the connection with this address has been admitted. */
  trust(remote: Multiaddr): void {
    this.connections.get(remote)?.trust();
  }

  listenFilter = (addresses: Multiaddr[]): Multiaddr[] => addresses.filter(isOurs);
  dialFilter = (addresses: Multiaddr[]): Multiaddr[] => addresses.filter(isOurs);

  async dial(address: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const parsed = parseAddress(address.toString());
    if (parsed.peer === null) {
      throw new TransportError("bad-address", `The address ${address.toString()} names no peer to expect.`);
    }
    const { identity, keys } = this.options;
    const socket = await dialSocket({ address: parsed, peer: parsed.peer, identity, keys, signal: options.signal });
    return this.enter(socket, parsed.peer, options);
  }

  /** Makes a libp2p connection of a socket that was dialed. */
  async enter(
    socket: TLSSocket,
    peer: PeerId,
    options: { upgrader: Upgrader; signal: AbortSignal },
  ): Promise<Connection> {
    const connection = this.connection(socket, "outbound", peer);
    try {
      return await options.upgrader.upgradeOutbound(connection, this.upgradeOptions(peer, options.signal));
    } catch (error) {
      connection.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  createListener({ upgrader }: CreateListenerOptions): Listener {
    const { identity, keys, refusals } = this.options;
    const stopping = new AbortController();
    return new TlsListener({
      identity,
      keys,
      refusals,
      isKnownHost: this.options.isKnownHost,
      accept: (socket, peer) => {
        const refusal = this.options.mayConnect(peer);
        if (refusal !== null) {
          refusals.write({ remote: remoteOf(socket), peer, reason: refusal });
          socket.destroy();
          return;
        }
        const connection = this.connection(socket, "inbound", peer);
        upgrader.upgradeInbound(connection, this.upgradeOptions(peer, stopping.signal)).catch((error: Error) => {
          refusals.write({ remote: remoteOf(socket), peer, reason: error.message });
          connection.abort(error);
        });
      },
      failed: (error) => {
        this.listenError ??= error;
      },
      bound: (address) => this.bound.push(address),
      closed: () => stopping.abort(),
    });
  }

  private connection(socket: TLSSocket, direction: "inbound" | "outbound", peer: PeerId): TlsConnection {
    const remoteAddr = multiaddr(formatAddress(socket.remoteAddress ?? "0.0.0.0", socket.remotePort ?? 0, peer));
    const log = this.options.logger.forComponent("sage:tls");
    const { refusals } = this.options;
    const remote = remoteOf(socket);
    const reason = `it sent more than ${STRANGER_BYTES_MAX >> 20} MiB before it was admitted`;
    const connection = new TlsConnection({
      socket,
      direction,
      remoteAddr,
      log,
      bytesMax: direction === "inbound" ? STRANGER_BYTES_MAX : Number.POSITIVE_INFINITY,
      overspent: () => refusals.write({ remote, peer, reason }),
    });
    this.connections.set(remoteAddr, connection);
    return connection;
  }

  private upgradeOptions(peer: PeerId, signal: AbortSignal) {
    return {
      skipEncryption: true,
      skipProtection: true,
      remotePeer: peerIdFromString(peer),
      muxerFactory: this.options.muxer,
      signal,
    } as const;
  }
}

interface TlsListenerOptions {
  readonly identity: Identity;
  readonly keys: Keys;
  readonly refusals: RefusalLog;
  readonly isKnownHost: (host: string) => boolean;
  readonly accept: (socket: TLSSocket, peer: PeerId) => void;
  readonly failed: (error: TransportError) => void;
  readonly bound: (address: string) => void;
  readonly closed: () => void;
}

/** Sockets that have connected and are still shaking hands: limited in number, so that a flood of them is harmless. */
class TlsListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  private readonly options: TlsListenerOptions;
  private readonly server: Server;
  /** By remote address, oldest first. */
  private readonly pending = new Map<string, Socket>();
  private readonly sockets = new Set<Socket>();
  /** Remote addresses whose end is logged already. */
  private readonly told = new Set<string>();
  private readonly strangers = new Pace(STRANGERS_PACE, () => performance.now());
  private readonly known = new Pace(KNOWN_PACE, () => performance.now());
  private address: string | null = null;

  constructor(options: TlsListenerOptions) {
    super();
    this.options = options;
    this.server = createServer(serverOptions(options.identity));
    this.server.on("connection", (socket: Socket) => this.arrived(socket));
    this.server.on("secureConnection", (socket: TLSSocket) => this.secured(socket));
    this.server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
      const remote = this.failedRemote(socket);
      if (!this.told.delete(remote)) this.refuse(remote, handshakeFailure(error));
      socket.destroy();
    });
  }

  async listen(address: Multiaddr): Promise<void> {
    const { host, port } = parseAddress(address.toString());
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error & { code?: string }): void => {
        const failure = listenFailure(error, { address: address.toString(), host, port });
        this.options.failed(failure);
        reject(failure);
      };
      this.server.once("error", onError);
      this.server.listen({ host, port, ipv6Only: host.includes(":") }, () => {
        this.server.off("error", onError);
        this.server.on("error", (error) => this.safeDispatchEvent("error", { detail: error }));
        resolve();
      });
    });
    const bound = this.server.address();
    const boundPort = typeof bound === "object" && bound !== null ? bound.port : port;
    this.address = formatAddress(host, boundPort, null);
    this.options.bound(this.address);
    this.safeDispatchEvent("listening");
  }

  getAddrs(): Multiaddr[] {
    if (this.address === null) return [];
    const { host, port } = parseAddress(this.address);
    return reachableHosts(host).map((reachable) => multiaddr(formatAddress(reachable, port, null)));
  }

  updateAnnounceAddrs(): void {}

  async close(): Promise<void> {
    this.options.closed();
    for (const socket of this.pending.values()) socket.destroy();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        for (const socket of this.sockets) socket.destroy();
      }, STOP_GRACE_MS);
      this.server.close(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.safeDispatchEvent("close");
  }

  private arrived(socket: Socket): void {
    const remote = remoteOf(socket);
    const host = socket.remoteAddress ?? "";
    socket.on("error", () => undefined); // what follows from it is told by the other events
    const pace = this.options.isKnownHost(host) ? this.known : this.strangers;
    if (!pace.take(host)) {
      return this.drop(remote, socket, "its host begins too many connections");
    }
    const [oldest] = this.pending;
    if (this.pending.size >= HANDSHAKES_MAX && oldest !== undefined) {
      this.drop(oldest[0], oldest[1], "too many unfinished handshakes");
    }
    this.pending.set(remote, socket);
    this.sockets.add(socket);
    const timer = setTimeout(() => {
      if (this.pending.get(remote) === socket) this.drop(remote, socket, "the TLS handshake was not finished in time");
    }, HANDSHAKE_TIMEOUT_MS);
    socket.once("close", () => {
      clearTimeout(timer);
      this.pending.delete(remote);
      this.sockets.delete(socket);
    });
  }

  /** Some runtimes have forgotten the address of a failed socket: then it is the one that has just been destroyed. */
  private failedRemote(failed: Socket): string {
    if (failed.remoteAddress !== undefined) return remoteOf(failed);
    for (const [remote, socket] of this.pending) if (socket.destroyed) return remote;
    return remoteOf(failed);
  }

  private drop(remote: string, socket: Socket, reason: string): void {
    this.pending.delete(remote);
    if (this.told.size >= HANDSHAKES_MAX) this.told.clear();
    this.told.add(remote);
    this.refuse(remote, reason);
    socket.destroy();
  }

  private secured(socket: TLSSocket): void {
    const remote = remoteOf(socket);
    this.pending.delete(remote);
    socket.on("error", () => undefined);
    try {
      this.options.accept(socket, provenPeer(socket, this.options.keys));
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
      this.refuse(remote, error.message);
      socket.destroy();
    }
  }

  private refuse(remote: string, reason: string): void {
    this.options.refusals.write({ remote, peer: null, reason });
  }
}

function remoteOf(socket: Socket): string {
  if (socket.remoteAddress === undefined) return "unknown";
  return formatAddress(socket.remoteAddress, socket.remotePort ?? 0, null);
}

function handshakeFailure(error: Error & { code?: string }): string {
  // OpenSSL puts its own source lines into the text.
  const text = error.message.split(":").filter((part) => /[a-z]{3} |_[A-Z]|Tls|corrupt/.test(part));
  return `no TLS 1.3 handshake: ${(text.at(-1) ?? error.message).trim().slice(0, 100)}`;
}

function listenFailure(
  error: Error & { code?: string },
  { address, host, port }: { address: string; host: string; port: number },
): TransportError {
  const start = `Cannot listen on ${address}:`;
  const options = { cause: error };
  switch (error.code) {
    case "EADDRINUSE":
      return new TransportError(
        "address-in-use",
        `${start} another process has port ${port}. Stop it, or listen on another port (0 takes any free one).`,
        options,
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return new TransportError("bad-address", `${start} ${host} is not an address of this machine.`, options);
    case "EACCES":
      return new TransportError(
        "bad-address",
        `${start} port ${port} needs more rights. Take one above 1023.`,
        options,
      );
    default:
      return new TransportError("bad-address", `${start} ${error.message}.`, options);
  }
}
