/**
 * Random bytes, and valid frames and posts with damage, into everything that reads what others send. Whatever comes, it
 * is a valid message or a `ProtocolError`, and no more memory is held than the limits say.
 */
import fc from "fast-check";
import type { Channel, ChannelHandlers, PeerId } from "../../src/kernel/mod.ts";
import {
  encodeFrame,
  encodeValue,
  FrameReader,
  HELLO_TIMEOUT_MS,
  methodTable,
  PostCodec,
  ProtocolError,
  RpcSession,
  type Served,
} from "../../src/protocol/mod.ts";
import { ManualClock, randomOf } from "../support/loopback.ts";
import { METHODS, POST_KINDS, wireOf } from "./samples.ts";

export interface FuzzCounts {
  cases: number;
  /** Read as valid, by reader. */
  valid: { frame: number; post: number; session: number };
  /** Refusals by code. */
  refused: Record<string, number>;
  /** Methods whose handler was reached. */
  methods: Set<string>;
  /** Post kinds that were read. */
  posts: Set<string>;
  heldBytesMax: number;
}

const VERSIONS = { min: 1, max: 2, software: "fuzz" };
const SAMPLES_PER_MESSAGE = 6;
const NOTHING: AsyncIterable<never> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
};

interface Pool {
  readonly posts: readonly Uint8Array[];
  /** Frames after the greeting. */
  readonly frames: readonly Uint8Array[];
}

export function makePool(seed: number): Pool {
  const options = { seed, numRuns: SAMPLES_PER_MESSAGE };
  const posts: Uint8Array[] = [];
  const prefix = Uint8Array.of(1, 1, 2, 4, 115, 97, 103, 101);
  for (const { kind, messages } of POST_KINDS) {
    for (const message of messages) {
      for (const wire of fc.sample(message, options)) posts.push(join(prefix, encodeValue([kind, wire])));
    }
  }
  const frames: Uint8Array[] = [
    encodeFrame("message", encodeValue([3, 1])),
    encodeFrame("message", encodeValue([4, 1, 5])),
    encodeFrame("message", encodeValue([7, 1])),
    encodeFrame("message", encodeValue([8, 1, { domain: "handler", code: "x", message: "y", retryable: true }])),
    encodeFrame("data", Uint8Array.of(1, 0, 0, 0, 9, 9, 9)),
  ];
  for (const { name, request, reply, item } of METHODS) {
    for (const body of fc.sample(wireOf(request), options)) {
      const opening = item === undefined ? [1, 1, name, body, 50] : [2, 1, name, body, null, 4];
      frames.push(encodeFrame("message", encodeValue(opening)));
    }
    const answer = reply ?? item;
    if (answer === undefined || answer === "bytes") continue;
    for (const body of fc.sample(wireOf(answer), options)) {
      frames.push(encodeFrame("message", encodeValue([reply === undefined ? 6 : 5, 1, body])));
    }
  }
  return { posts, frames };
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

type Random = () => number;

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

const EDGES = [0, 1, 0x7f, 0x80, 0x90, 0xa0, 0xc1, 0xc7, 0xd4, 0xdd, 0xdf, 0xff];

/** One to four changes: flipped bits, edge values, lost, doubled and foreign pieces. */
export function damage(random: Random, original: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes: Uint8Array = original.slice();
  for (let changes = 1 + below(random, 4); changes > 0; changes--) {
    const at = below(random, bytes.length + 1);
    const end = Math.min(bytes.length, at + 1 + below(random, 8));
    switch (below(random, 6)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << below(random, 8));
        break;
      case 1:
        if (at < bytes.length) bytes[at] = EDGES[below(random, EDGES.length)] as number;
        break;
      case 2:
        bytes = join(bytes.subarray(0, at), bytes.subarray(end));
        break;
      case 3:
        bytes = join(bytes.subarray(0, end), bytes.subarray(at));
        break;
      case 4:
        bytes = join(bytes.subarray(0, at), other.subarray(below(random, other.length)));
        break;
      default:
        bytes = bytes.slice(0, at);
    }
  }
  return bytes;
}

export function noise(random: Random): Uint8Array {
  return Uint8Array.from({ length: below(random, 200) }, () => below(random, 256));
}

/** Keeps what it is given to hand in; what is sent to it is forgotten. */
class OneSided implements Channel {
  readonly peer = "fuzzer" as PeerId;
  readonly protocol = "/sage/rpc/1";
  handlers: ChannelHandlers | null = null;
  aborted: string | null = null;

  receive(handlers: ChannelHandlers): void {
    this.handlers = handlers;
  }
  send(): boolean {
    return true;
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  abort(reason: string): void {
    this.aborted = reason;
  }
}

/** Time stands still, and batches leave when they are asked to. */
class StillClock extends ManualClock {
  private waiting: (() => void)[] = [];

  override soon(run: () => void): void {
    this.waiting.push(run);
  }
  runSoon(): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const run of waiting) run();
  }
}

class Fuzzer {
  readonly counts: FuzzCounts;
  private readonly pool: Pool;
  private readonly random: Random;
  private readonly codec = new PostCodec(VERSIONS);
  private readonly table;
  private readonly hello = encodeFrame("hello", encodeValue(VERSIONS));

  constructor(seed: number) {
    this.random = randomOf(seed);
    this.pool = makePool(seed);
    this.counts = {
      cases: 0,
      valid: { frame: 0, post: 0, session: 0 },
      refused: {},
      methods: new Set(),
      posts: new Set(),
      heldBytesMax: 0,
    };
    const served = METHODS.map((method: any): Served => {
      const seen = () => this.counts.methods.add(method.name);
      if (method.item === undefined) return { kind: "call", method, run: () => (seen(), {}) };
      return {
        kind: "stream",
        method,
        run: () => {
          seen();
          return NOTHING;
        },
      };
    });
    this.table = methodTable(served);
  }

  /** Anything but a `ProtocolError` passes through and ends the run. */
  private attempt(kind: keyof FuzzCounts["valid"], run: () => void): void {
    try {
      run();
      this.counts.valid[kind]++;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.counts.refused[error.code] = (this.counts.refused[error.code] ?? 0) + 1;
    }
  }

  private pick(pool: readonly Uint8Array[]): Uint8Array {
    return pool[below(this.random, pool.length)] as Uint8Array;
  }

  private made(pool: readonly Uint8Array[]): Uint8Array {
    const chance = this.random();
    if (chance < 0.1) return noise(this.random);
    if (chance < 0.15) return this.pick(pool);
    return damage(this.random, this.pick(pool), this.pick(pool));
  }

  run(): void {
    this.counts.cases++;
    if (this.random() < 0.5) this.post(this.made(this.pool.posts));
    else this.stream(this.made(this.pool.frames));
  }

  private post(bytes: Uint8Array): void {
    this.attempt("post", () => {
      const { post } = this.codec.decode(bytes);
      this.counts.posts.add(`${post.kind} ${post.message.kind}`);
      // What was accepted can be sent on.
      this.codec.encode(post, VERSIONS);
    });
  }

  private stream(bytes: Uint8Array): void {
    const reader = new FrameReader(() => {});
    this.attempt("frame", () => this.push(bytes, (piece) => reader.push(piece)));
    this.counts.heldBytesMax = Math.max(this.counts.heldBytesMax, reader.heldBytes);
    if (reader.heldBytes > Math.max(64, 2 * bytes.length)) throw new Error(`${reader.heldBytes} bytes held`);
    this.session(bytes);
  }

  private push(bytes: Uint8Array, take: (piece: Uint8Array) => void): void {
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + below(this.random, this.random() < 0.3 ? 5 : 4_000);
      take(bytes.slice(at, at + size));
      at += size;
    }
  }

  /** A session with a call, a stream and all methods open, so that answers are looked at as well. */
  private session(bytes: Uint8Array): void {
    const channel = new OneSided();
    const clock = new StillClock();
    const session = new RpcSession(channel, { clock, versions: VERSIONS, role: () => "node" });
    session.serve(this.table);
    const { handlers } = channel;
    if (handlers === null) throw new Error("nothing receives");
    if (this.random() < 0.98) handlers.data(this.hello);
    const method = METHODS[below(this.random, METHODS.length)] as any;
    const fine = (error: unknown) => {
      if (!(error instanceof Error) || !("code" in error)) throw error;
    };
    if (method.item === undefined) session.call(method, {} as any).catch(fine);
    else
      session
        .stream(method, {} as any)
        .next()
        .catch(fine);
    this.push(bytes, (piece) => handlers.data(piece));
    clock.runSoon();
    clock.advance(HELLO_TIMEOUT_MS + 100);
    if (!session.isClosed) this.counts.valid.session++;
    session.close("case over");
  }
}

/** The same count and seed give the same cases. Handlers get to run every 1,000 cases. */
export async function fuzzProtocol(options: { readonly count: number; readonly seed: number }): Promise<FuzzCounts> {
  const fuzzer = new Fuzzer(options.seed);
  for (let i = 0; i < options.count; i++) {
    fuzzer.run();
    if (i % 1_000 === 999) await new Promise((resolve) => setImmediate(resolve));
  }
  return fuzzer.counts;
}
