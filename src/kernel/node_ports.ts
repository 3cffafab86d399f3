/**
 * Ports of a node that lives among others: time, chance, keys, and the network.
 *
 * All of a node runs in one thread as callbacks. `platform/` implements these on the real machine, `sim/` on a virtual
 * one: code that uses only them behaves the same in both.
 */
import type { Address, PeerId } from "./ids.ts";

export interface Clock {
  /** Monotonic milliseconds with fractions; the origin is arbitrary. Runs on while the process is stopped. */
  nowMs(): number;
  /** Unix time in milliseconds. May jump both ways: for people and expiry dates, never for order. */
  wallMs(): number;
  /** Calls `run` once, `delayMs` or more from now, never before this call returns. Gives a function that cancels. */
  wake(delayMs: number, run: () => void): () => void;
  /** Calls `run` after this turn, when input that had already arrived is handled. For batching. */
  soon(run: () => void): void;
}

export interface Random {
  /** 0 ≤ x < 1; for jitter and choice. */
  next(): number;
  /** Unpredictable bytes; for keys and nonces. */
  bytes(count: number): Uint8Array;
}

export interface KeyPair {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Ed25519 seed, 32 bytes. */
  readonly privateKey: Uint8Array;
}

export interface Keys {
  create(): KeyPair;
  /** 64 bytes. */
  sign(pair: KeyPair, message: Uint8Array): Uint8Array;
  /** False for anything wrong, also for keys and signatures of a wrong length. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean;
  /** SHA-256 as 64 hexadecimal digits. */
  sha256(bytes: Uint8Array): string;
  peerOf(publicKey: Uint8Array): PeerId;
  /** Ed25519 public key, which a PeerId contains; null when the text is no PeerId of such a key. */
  publicKeyOf(peer: string): Uint8Array | null;
}

export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export interface Log {
  /** `event` is a short fixed sentence in lower case; what varies is in `fields`. */
  write(level: LogLevel, event: string, fields?: LogFields): void;
}

export interface ChannelHandlers {
  /** Bytes as they come, cut anywhere; valid until this call returns: copy what is kept. */
  data(bytes: Uint8Array): void;
  /** More may be sent after `send` gave false. */
  drain?(): void;
  /** The other side sends no more. */
  end?(): void;
  /** Last call, exactly once. Null when both sides ended, otherwise why it broke. */
  closed(error: Error | null): void;
}

/** Bytes in order, both ways, between two peers; both know who the other is. */
export interface Channel {
  readonly peer: PeerId;
  readonly protocol: string;
  /** To be called once, in the turn in which the channel is had. */
  receive(handlers: ChannelHandlers): void;
  /**
   * Takes over `bytes` (the caller must not change them any more). False when more waits unsent than the window holds:
   * send the rest after `drain`. Does nothing once closed.
   */
  send(bytes: Uint8Array): boolean;
  /** Stops and starts the calls of `data`; the other side feels it when the window is full. */
  pause(): void;
  resume(): void;
  /** Sends no more; what was sent still arrives. */
  end(): void;
  /** Ends both ways at once; the other side sees an error. */
  abort(reason: string): void;
}

/** What a peer may do, decided once a connection. A guest may only open channels of `GUEST_PROTOCOLS`. */
export type Admission =
  | { readonly kind: "member" | "client" | "guest" }
  | { readonly kind: "refused"; readonly reason: string };

/** What a node gives its transport. */
export interface TransportHooks {
  /** Shown to the other side at each new connection; empty when there is none yet. */
  credential(): Uint8Array;
  /** Judges the other side's credential, before anything else of that connection is delivered. */
  admit(peer: PeerId, credential: Uint8Array): Admission;
  connected(peer: PeerId): void;
  /** `peer` was called and does not let this side in. */
  turnedAway?(peer: PeerId, reason: string): void;
  /** The last connection to `peer` is gone. */
  disconnected(peer: PeerId): void;
  /** A message sent with `post`; valid until this call returns. */
  posted(from: PeerId, message: Uint8Array): void;
  /** `peer` opened a channel; one of an unknown protocol is aborted by the hook. */
  opened(channel: Channel): void;
}

export interface OpenOptions {
  readonly signal?: AbortSignal;
  /** For connection and opening together; default `OPEN_TIMEOUT_MS`. */
  readonly timeoutMs?: number;
}

/**
 * The network as one node sees it. Every connection is encrypted, and both ends have proven the key of their PeerId.
 * At most one connection between two peers is used; connections are made when needed and remade after they broke.
 */
export interface Transport {
  readonly self: PeerId;
  /** Where this node listens, with ports as they came out; empty before `start` and for clients. */
  readonly addresses: readonly Address[];
  /** @throws {TransportError} when an address is taken or cannot be listened on */
  start(hooks: TransportHooks): Promise<void>;
  stop(): Promise<void>;
  /** Replaces what is known of a peer's whereabouts. */
  know(peer: PeerId, addresses: readonly Address[]): void;
  /**
   * One message, best effort: it may be lost, doubled, or overtaken; never altered. Connects when there is no connection
   * (with back-off); drops what a slow or absent peer does not take.
   */
  post(peer: PeerId, message: Uint8Array): void;
  /** @throws {TransportError} not reachable, refused, timed out */
  open(peer: PeerId, protocol: string, options?: OpenOptions): Promise<Channel>;
  isConnected(peer: PeerId): boolean;
  /** Closes what is open to `peer`; used after its admission ended. */
  disconnect(peer: PeerId, reason: string): void;
}

export const OPEN_TIMEOUT_MS = 5_000;
/** Protocols that a peer without a credential may open. */
export const GUEST_PROTOCOLS: readonly string[] = ["/sage/join/1"];
/** Longest message of `post`. */
export const POST_BYTES_MAX = 1 << 20;
