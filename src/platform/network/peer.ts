/** What this node has to do with one peer: where it is, the connections to it, and what waits to be posted. */
import type { Stream } from "@libp2p/interface";
import { GUEST_PROTOCOLS, type PeerId, TransportError } from "../../kernel/mod.ts";
import type { ParsedAddress } from "./address.ts";
import { RETRY_MS_MAX, RETRY_MS_MIN } from "./limits.ts";
import { chooseLink, type Link } from "./link.ts";
import { Pipe } from "./pipe.ts";
import { PostBox } from "./post_box.ts";

export interface PeerPorts {
  readonly self: PeerId;
  readonly credential: () => Uint8Array;
  /** A new, admitted connection. */
  readonly dial: (addresses: readonly ParsedAddress[], signal: AbortSignal) => Promise<Link>;
  readonly openPostStream: (link: Link) => Promise<Stream>;
}

export class Peer {
  readonly id: PeerId;
  addresses: readonly ParsedAddress[] = [];
  /** Admitted ones, oldest first. */
  links: Link[] = [];
  private readonly ports: PeerPorts;
  private readonly box = new PostBox();
  private primary: Link | null = null;
  private dialing: Promise<Link> | null = null;
  private readonly stopping = new AbortController();
  private failureCount = 0;
  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private isFlushQueued = false;

  constructor(id: PeerId, ports: PeerPorts) {
    this.id = id;
    this.ports = ports;
  }

  get isReachable(): boolean {
    return this.links.length > 0 || this.addresses.length > 0;
  }

  get isDialing(): boolean {
    return this.dialing !== null;
  }

  add(link: Link): void {
    this.links.push(link);
    this.failureCount = 0;
    this.choose();
  }

  remove(link: Link): void {
    this.links = this.links.filter((other) => other !== link);
    link.postPipe = null;
    this.choose();
    if (!this.box.isEmpty) this.flushSoon();
  }

  stop(): void {
    this.stopping.abort();
    if (this.retryTimer !== null) clearTimeout(this.retryTimer);
    this.box.clear();
  }

  private choose(): void {
    this.primary = chooseLink(this.links);
    for (const link of this.links) {
      if (link === this.primary) link.retiredAtMs = null;
      else link.retiredAtMs ??= performance.now();
    }
  }

  /**
   * The connection on which a channel of `protocol` may be opened; dials where there is none.
   * @throws {TransportError} not reachable, refused, or this node is only a guest there
   */
  async linkFor(protocol: string, signal: AbortSignal): Promise<Link> {
    const link = this.current() ?? (await raceAbort(this.dialOnce(), signal));
    if (link.outcome?.ours === "guest" && !GUEST_PROTOCOLS.includes(protocol)) {
      throw new TransportError("refused", `${this.id} refuses this node: it has not been admitted to the cluster yet.`);
    }
    return link;
  }

  /** The connection in use. One as a guest is dropped from use once there is another credential to show. */
  private current(): Link | null {
    const link = this.primary;
    if (link?.outcome?.ours !== "guest" || sameBytes(link.shown, this.ports.credential())) return link;
    if (this.addresses.length === 0) return link;
    this.primary = null;
    link.retiredAtMs = performance.now();
    return null;
  }

  private dialOnce(): Promise<Link> {
    if (this.addresses.length === 0) {
      return Promise.reject(new TransportError("unreachable", `No address of ${this.id} is known.`));
    }
    this.dialing ??= this.ports.dial(this.addresses, this.stopping.signal).finally(() => {
      this.dialing = null;
    });
    return this.dialing;
  }

  post(message: Uint8Array): void {
    this.box.put(message, performance.now());
    this.flushSoon();
  }

  dropPosts(): void {
    this.box.clear();
  }

  /** After this turn, so that what it posts leaves in one write. */
  private flushSoon(): void {
    if (this.isFlushQueued) return;
    this.isFlushQueued = true;
    queueMicrotask(() => {
      this.isFlushQueued = false;
      this.flush();
    });
  }

  flush(): void {
    if (this.box.isEmpty || this.stopping.signal.aborted) return;
    const link = this.current();
    if (link === null) return this.connectForPosts();
    if (link.outcome?.ours === "guest" || link.outcome?.theirs === "guest") return this.box.clear();
    const pipe = link.postPipe;
    if (pipe === null) return this.openPosts(link);
    while (pipe.hasRoom) {
      const batch = this.box.take(performance.now());
      if (batch !== null) pipe.send(batch);
      else if (this.box.isEmpty) return;
    }
  }

  private openPosts(link: Link): void {
    if (link.isPostOpening) return;
    link.isPostOpening = true;
    this.ports.openPostStream(link).then(
      (stream) => {
        link.isPostOpening = false;
        const pipe = new Pipe(stream);
        link.postPipe = pipe;
        pipe.receive({
          data: () => undefined,
          drain: () => this.flush(),
          closed: () => {
            if (link.postPipe === pipe) link.postPipe = null;
          },
        });
        this.flush();
      },
      () => {
        link.isPostOpening = false;
        this.retryLater();
      },
    );
  }

  private connectForPosts(): void {
    if (this.retryTimer !== null || this.dialing !== null) return;
    this.dialOnce().then(
      () => this.flush(),
      () => {
        this.failureCount++;
        this.retryLater();
      },
    );
  }

  private retryLater(): void {
    if (this.retryTimer !== null || this.stopping.signal.aborted) return;
    const ceiling = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(this.failureCount, 10));
    // Chance spreads the nodes that lost the same peer at the same time.
    const delayMs = ceiling * (0.5 + Math.random() / 2);
    this.retryTimer = setTimeout(() => {
      this.retryTimer = null;
      this.flush();
    }, delayMs);
    this.retryTimer.unref?.();
  }
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}

async function raceAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
