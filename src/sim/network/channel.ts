import { type Channel, type ChannelHandlers, invariant, type PeerId, TransportError } from "../../kernel/mod.ts";
import type { Connection } from "./connection.ts";
import { BREAK_AFTER_MS } from "./network.ts";
import type { VirtualTransport } from "./transport.ts";

/** Bytes on their way before `send` gives false. */
const WINDOW_BYTES = 256 * 1024;
/** A cut link is tried again after this. */
const RETRANSMIT_MS = 200;
/** Share of the messages that arrive in two pieces. */
const CUT_CHANCE = 0.05;

type Arrival = { readonly kind: "data"; readonly bytes: Uint8Array } | { readonly kind: "end" };

/** One end of a channel: what it sends arrives at the other in order, late when the link is cut. */
export class VirtualChannel implements Channel {
  readonly protocol: string;
  readonly peer: PeerId;
  readonly #connection: Connection;
  readonly #transport: VirtualTransport;
  #far: VirtualChannel | null = null;
  #handlers: ChannelHandlers | null = null;
  #isClosed = false;
  #hasEnded = false;
  #farHasEnded = false;
  #isPaused = false;
  #unsentBytes = 0;
  readonly #underWay: { readonly atMs: number; readonly run: () => void }[] = [];
  readonly #inbox: Arrival[] = [];

  constructor(connection: Connection, transport: VirtualTransport, protocol: string) {
    this.#connection = connection;
    this.#transport = transport;
    this.protocol = protocol;
    this.peer = connection.peerOf(transport);
  }

  join(far: VirtualChannel): void {
    this.#far = far;
    far.#far = this;
  }

  receive(handlers: ChannelHandlers): void {
    invariant(this.#handlers === null, "receive is called once a channel");
    this.#handlers = handlers;
    if (this.#isClosed)
      this.#transport.host.soon(() => handlers.closed(new TransportError("aborted", "Channel closed")));
    else this.#transport.host.soon(() => this.#hand());
  }

  send(bytes: Uint8Array): boolean {
    if (this.#isClosed || this.#hasEnded) return true;
    this.#transport.host.mayCrash(this.#transport.life);
    this.#unsentBytes += bytes.length;
    const { random } = this.#connection.network;
    const cut = bytes.length > 1 && random.chance(CUT_CHANCE) ? 1 + random.below(bytes.length - 1) : 0;
    if (cut > 0) this.#sendPiece(bytes.subarray(0, cut));
    this.#sendPiece(bytes.subarray(cut));
    return this.#unsentBytes < WINDOW_BYTES;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#transport.host.soon(() => this.#hand());
  }

  end(): void {
    if (this.#isClosed || this.#hasEnded) return;
    this.#hasEnded = true;
    const far = this.#farEnd();
    this.transmit(() => far.#arrive({ kind: "end" }));
    this.#closeWhenBothEnded();
  }

  abort(reason: string): void {
    if (this.#isClosed) return;
    const far = this.#farEnd();
    this.transmit(() => far.broken(reason));
    this.broken(reason);
  }

  /** The connection is gone, or one side has had enough. */
  broken(reason: string): void {
    this.#close(new TransportError("aborted", `Channel ${this.protocol} to ${this.peer} broke: ${reason}`));
  }

  /** The other process is gone. What is still under way is sent again until its machine answers that, or for too long. */
  farIsOver(forMs = 0): void {
    if (this.#isClosed || this.#underWay.length === 0) return;
    const { network } = this.#connection;
    const { host } = this.#transport;
    const far = this.#connection.other(this.#transport).transport.host;
    network.world.schedule({
      atMs: network.world.nowMs + RETRANSMIT_MS,
      host,
      run: () => {
        if (this.#isClosed) return;
        if (forMs >= BREAK_AFTER_MS) return this.#connection.drop(this.#transport, "connection timed out");
        if (!network.isMachineUp(far.name) || network.links.isCut(host.name, far.name)) {
          return this.farIsOver(forMs + RETRANSMIT_MS);
        }
        network.answer(far, host, () => this.#connection.drop(this.#transport, "connection reset"));
        this.farIsOver(forMs + RETRANSMIT_MS);
      },
    });
  }

  /** Runs `run` at the other end after all that was transmitted before. */
  transmit(run: () => void): void {
    const { world, links, random } = this.#connection.network;
    this.#underWay.push({ atMs: world.nowMs + this.#transport.host.lagMs + links.delayMs(random), run });
    if (this.#underWay.length === 1) this.#carry();
  }

  /** Brings the first message that is under way to the other end, and then the next: order holds also after a cut. */
  #carry(notBeforeMs = 0): void {
    const first = this.#underWay[0];
    if (first === undefined) return;
    const { world, links } = this.#connection.network;
    const near = this.#transport.host;
    const other = this.#connection.other(this.#transport);
    if (other.isOver) return this.farIsOver();
    const far = other.transport.host;
    const attempt = () => {
      if (links.isCut(near.name, far.name)) return this.#carry(world.nowMs + RETRANSMIT_MS);
      this.#underWay.shift();
      this.#carry();
      this.#connection.arrived(this.#transport);
      first.run();
    };
    world.schedule({ atMs: Math.max(first.atMs, notBeforeMs), host: far, run: attempt });
  }

  #sendPiece(bytes: Uint8Array): void {
    const far = this.#farEnd();
    this.transmit(() => far.#arrive({ kind: "data", bytes }));
  }

  #farEnd(): VirtualChannel {
    invariant(this.#far, "a channel has two ends");
    return this.#far;
  }

  #arrive(arrival: Arrival): void {
    if (this.#isClosed) return;
    this.#inbox.push(arrival);
    this.#hand();
  }

  #hand(): void {
    while (!this.#isPaused && !this.#isClosed && this.#handlers !== null) {
      const arrival = this.#inbox.shift();
      if (arrival === undefined) return;
      if (arrival.kind === "data") {
        // A copy that is gone once the call has returned: nobody may keep it.
        const bytes = arrival.bytes.slice();
        this.#handlers.data(bytes);
        bytes.buffer.transfer(0);
        this.#acknowledge(arrival.bytes.length);
      } else {
        this.#farHasEnded = true;
        this.#handlers.end?.();
        this.#closeWhenBothEnded();
      }
    }
  }

  #acknowledge(byteCount: number): void {
    const far = this.#farEnd();
    this.transmit(() => {
      const wasFull = far.#unsentBytes >= WINDOW_BYTES;
      far.#unsentBytes -= byteCount;
      if (wasFull && far.#unsentBytes < WINDOW_BYTES && !far.#isClosed) far.#handlers?.drain?.();
    });
  }

  #closeWhenBothEnded(): void {
    if (this.#hasEnded && this.#farHasEnded) this.#close(null);
  }

  #close(error: Error | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connection.end(this.#transport).channels.delete(this);
    const handlers = this.#handlers;
    if (handlers !== null) this.#transport.host.soon(() => handlers.closed(error));
  }
}
