/** One connection to a peer, from the moment it is encrypted. */
import type { Connection } from "@libp2p/interface";
import type { PeerId, TransportError } from "../../kernel/mod.ts";
import type { HelloOutcome } from "./hello.ts";
import type { Pipe } from "./pipe.ts";

export interface Link {
  readonly connection: Connection;
  readonly peer: PeerId;
  /** The peer that made the connection: decides which of two connections stays. */
  readonly dialer: PeerId;
  /** The credential that was shown on it. */
  shown: Uint8Array;
  /** Null until both sides have let the other in. */
  outcome: HelloOutcome | null;
  /** Streams that arrived before that. */
  readonly held: (() => void)[];
  /** Resolves when both have, rejects with a `TransportError` when one has not. */
  readonly ready: PromiseWithResolvers<Link>;
  /** Why it was closed by us; told to whoever waits for it. */
  closing: TransportError | null;
  helloTimer: ReturnType<typeof setTimeout> | undefined;
  channelCount: number;
  lastTrafficMs: number;
  /** Since when another connection is used instead; null while this one is. */
  retiredAtMs: number | null;
  /** Where posts go out. */
  postPipe: Pipe | null;
  isPostOpening: boolean;
}

export function createLink(connection: Connection, self: PeerId): Link {
  const peer = connection.remotePeer.toString() as PeerId;
  const ready = Promise.withResolvers<Link>();
  ready.promise.catch(() => undefined); // nobody has to wait for it
  return {
    connection,
    peer,
    dialer: connection.direction === "outbound" ? self : peer,
    shown: new Uint8Array(0),
    outcome: null,
    held: [],
    ready,
    closing: null,
    helloTimer: undefined,
    channelCount: 0,
    lastTrafficMs: performance.now(),
    retiredAtMs: null,
    postPipe: null,
    isPostOpening: false,
  };
}

/**
 * Which of several admitted connections to one peer is used. Both sides come to the same answer: the connection that
 * the lesser PeerId made, and of those the newest, as a side that makes a second one has lost its first.
 */
export function chooseLink(links: readonly Link[]): Link | null {
  let chosen: Link | null = null;
  for (const link of links) {
    if (link.connection.status !== "open") continue;
    if (chosen === null || link.dialer <= chosen.dialer) chosen = link;
  }
  return chosen;
}
