/** What the conformance suite of transports works with. */
import type { Admission, Channel, PeerId, Transport } from "../../src/kernel/mod.ts";

export interface NetworkUnderTest {
  /** A transport with a key of its own, not started; it listens when started, unless `isClient`. */
  create(options?: { isClient?: boolean }): Transport;
  /** Another transport with the key and the addresses of one that was stopped. */
  again(stopped: Transport): Transport;
  /** Lets time pass until the promise is settled. */
  run<T>(promise: Promise<T>): Promise<T>;
  /** Lets time pass until `holds`, at most `timeoutMs` (default 10,000); throws when it never does. */
  until(holds: () => boolean, timeoutMs?: number): Promise<void>;
  pass(ms: number): Promise<void>;
  stop(): Promise<void>;
}

/** A started transport and all that happened to it. */
export interface Node {
  readonly transport: Transport;
  readonly opened: Ear[];
  readonly posted: { from: PeerId; message: Uint8Array }[];
  readonly events: string[];
  credential: Uint8Array;
  admit: (peer: PeerId, credential: Uint8Array) => Admission;
  /** What to do with a channel that another opened; default is to listen. */
  onOpened: (ear: Ear) => void;
}

/** A channel and all that came through it. */
export interface Ear {
  readonly channel: Channel;
  readonly chunks: Uint8Array[];
  byteCount: number;
  drainCount: number;
  endCount: number;
  readonly closed: (Error | null)[];
}
