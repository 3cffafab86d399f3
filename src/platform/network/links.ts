/**
 * The libp2p node: everything that needs libp2p loaded. Gives admitted-or-not connections and their streams to
 * `network.ts`, which decides.
 */
import { privateKeyFromRaw } from "@libp2p/crypto/keys";
import type { ComponentLogger, Connection, Logger, Stream, Upgrader } from "@libp2p/interface";
import type { mdns } from "@libp2p/mdns";
import { createLibp2p } from "libp2p";
import { type Address, type KeyPair, type Keys, type PeerId, TransportError } from "../../kernel/mod.ts";
import { type ParsedAddress, parseAddress, reachableHosts, withPeer } from "./address.ts";
import { createIdentity } from "./certificate.ts";
import { CONNECTIONS_MAX, HANDSHAKE_TIMEOUT_MS, NEXT_ADDRESS_MS, STREAMS_PER_CONNECTION_MAX } from "./limits.ts";
import { createMuxer } from "./muxer.ts";
import type { RefusalLog } from "./refusal_log.ts";
import { dialSocket } from "./tls_socket.ts";
import { TlsTransport } from "./tls_transport.ts";

/** Protocols of libp2p streams; those of channels are named within. */
export const STREAM_PROTOCOLS = ["/sage/hello/1", "/sage/post/1", "/sage/channel/1"] as const;
export type StreamProtocol = (typeof STREAM_PROTOCOLS)[number];

export interface LinksOptions {
  readonly keyPair: KeyPair;
  readonly keys: Keys;
  readonly listen: readonly Address[];
  readonly announce: readonly Address[];
  readonly refusals: RefusalLog;
  readonly mdns: boolean;
  readonly found: (peer: PeerId, addresses: readonly Address[]) => void;
  readonly mayConnect: (peer: PeerId) => string | null;
  readonly isKnownHost: (host: string) => boolean;
  readonly connected: (connection: Connection) => void;
  readonly streamed: (protocol: StreamProtocol, stream: Stream, connection: Connection) => void;
}

export interface Links {
  readonly addresses: readonly Address[];
  /** The first of `addresses` that answers as `peer`; its connection was also given to `connected`. */
  dial(peer: PeerId, addresses: readonly ParsedAddress[], signal: AbortSignal): Promise<Connection>;
  /** Lifts the limit of what a stranger may send. */
  trust(connection: Connection): void;
  stop(): Promise<void>;
}

/** libp2p logs every frame; we log what matters. */
function silentLogger(): Logger {
  const log = (() => undefined) as unknown as Logger; // a function with fields, which TypeScript cannot build up
  log.enabled = false;
  log.trace = () => undefined;
  log.error = () => undefined;
  log.newScope = () => log;
  return log;
}

const LOGGER: ComponentLogger = { forComponent: () => silentLogger() };

/** @throws {TransportError} "address-in-use", "bad-address" */
export async function startLinks(options: LinksOptions): Promise<Links> {
  const { keyPair, keys, refusals } = options;
  const self = keys.peerOf(keyPair.publicKey);
  const identity = createIdentity(keyPair, keys);
  const muxer = createMuxer();
  const transport = new TlsTransport({
    identity,
    keys,
    refusals,
    logger: LOGGER,
    muxer,
    mayConnect: options.mayConnect,
    isKnownHost: options.isKnownHost,
  });
  let upgrader: Upgrader | null = null;
  const node = await createLibp2p({
    start: false,
    privateKey: privateKeyFromRaw(Buffer.concat([keyPair.privateKey, keyPair.publicKey])),
    addresses: { listen: [...options.listen], announce: [...options.announce] },
    transports: [
      (components) => {
        upgrader = components.upgrader;
        return transport;
      },
    ],
    streamMuxers: [() => muxer],
    peerDiscovery: options.mdns ? [await discovery(options.found)] : [],
    logger: LOGGER,
    connectionMonitor: { enabled: false }, // `TlsConnection` watches
    // Limits are ours: libp2p's are for the open internet and would close members' connections.
    connectionManager: {
      maxConnections: 2 * CONNECTIONS_MAX,
      maxIncomingPendingConnections: CONNECTIONS_MAX,
      inboundConnectionThreshold: CONNECTIONS_MAX,
      inboundUpgradeTimeout: HANDSHAKE_TIMEOUT_MS,
      inboundStreamProtocolNegotiationTimeout: HANDSHAKE_TIMEOUT_MS,
      reconnectRetries: 0,
    },
  });
  node.addEventListener("connection:open", (event) => options.connected(event.detail));
  const limits = { maxInboundStreams: STREAMS_PER_CONNECTION_MAX, maxOutboundStreams: STREAMS_PER_CONNECTION_MAX };
  for (const protocol of STREAM_PROTOCOLS) {
    await node.handle(protocol, (stream, connection) => options.streamed(protocol, stream, connection), limits);
  }
  try {
    await node.start();
  } catch (error) {
    throw transport.listenError ?? error;
  }
  const enter = async (
    socketOf: Promise<Awaited<ReturnType<typeof dialSocket>>>,
    peer: PeerId,
    signal: AbortSignal,
  ) => {
    if (upgrader === null) throw new TransportError("stopped", "The transport has not been started.");
    return transport.enter(await socketOf, peer, { upgrader, signal });
  };
  return {
    addresses: ownAddresses(transport.bound, options.announce, self),
    dial: (peer, addresses, signal) =>
      enter(
        firstSocket(addresses, (address, own) => dialSocket({ address, peer, identity, keys, signal: own }), signal),
        peer,
        signal,
      ),
    trust: (connection) => transport.trust(connection.remoteAddr),
    stop: async () => node.stop(),
  };
}

type Discovery = ReturnType<ReturnType<typeof mdns>>;

async function discovery(found: LinksOptions["found"]) {
  const { mdns } = await import("@libp2p/mdns");
  return (components: Parameters<ReturnType<typeof mdns>>[0]): Discovery => watch(mdns()(components), found);
}

function watch(service: Discovery, found: LinksOptions["found"]): Discovery {
  service.addEventListener("peer", (event) => {
    const addresses = event.detail.multiaddrs.map(String).filter((text) => {
      try {
        return parseAddress(text) !== null;
      } catch {
        return false; // of another transport
      }
    });
    if (addresses.length > 0) found(event.detail.id.toString() as PeerId, addresses as Address[]);
  });
  return service;
}

function ownAddresses(bound: readonly string[], announce: readonly Address[], self: PeerId): Address[] {
  if (announce.length > 0) return announce.map((text) => withPeer(parseAddress(text), self));
  return bound.flatMap((text) => {
    const address = parseAddress(text);
    return reachableHosts(address.host).map((host) => withPeer({ ...address, host }, self));
  });
}

/** Dials one address after another, the next one when the last has failed or is slow; the first success ends the others. */
async function firstSocket<Socket extends { destroy(): unknown }>(
  addresses: readonly ParsedAddress[],
  dial: (address: ParsedAddress, signal: AbortSignal) => Promise<Socket>,
  signal: AbortSignal,
): Promise<Socket> {
  const losing = new AbortController();
  const either = AbortSignal.any([signal, losing.signal]);
  const failures: unknown[] = [];
  return new Promise((resolve, reject) => {
    let next = 0;
    let isWon = false;
    const step = (): void => {
      const address = addresses[next];
      if (address === undefined || isWon || signal.aborted) return;
      next++;
      const timer = setTimeout(step, NEXT_ADDRESS_MS);
      dial(address, either).then(
        (socket) => {
          clearTimeout(timer);
          if (isWon) {
            socket.destroy();
            return;
          }
          isWon = true;
          resolve(socket);
          losing.abort();
        },
        (error: unknown) => {
          clearTimeout(timer);
          failures.push(error);
          if (failures.length === addresses.length || signal.aborted) reject(dialFailure(failures));
          else step();
        },
      );
    };
    step();
  });
}

function dialFailure(failures: readonly unknown[]): unknown {
  if (failures.length === 1) return failures[0];
  const errors = failures.filter((failure) => failure instanceof TransportError);
  const told = errors.find(({ code }) => code === "wrong-peer" || code === "refused") ?? errors[0];
  if (told === undefined) return failures[0];
  const message = errors.map((error) => error.message).join(" ");
  return new TransportError(told.code, message, { cause: new AggregateError(failures) });
}
