/** A few nodes, or a thousand, on a virtual clock and network: membership alone, from one seed. */
import { Membership, type MembershipTimings, type MemberView } from "../../../src/cluster/membership/mod.ts";
import type { Address, KeyPair, PeerId } from "../../../src/kernel/mod.ts";
import { createKeys, publicKeyOfSeed } from "../../../src/platform/keys.ts";
import {
  encodeMemberRecord,
  type GossipMessage,
  type MemberRecord,
  PostCodec,
  type SignedRecord,
} from "../../../src/protocol/mod.ts";

const keys = createKeys();

type Event = { readonly atMs: number; readonly order: number; readonly run: () => void };

export interface WorldOptions {
  readonly seed: number;
  /** Chance that a message is lost. */
  readonly loss?: number;
  readonly delayMs?: readonly [number, number];
  readonly doubled?: number;
  readonly timings?: Partial<MembershipTimings>;
  /** Encodes each message to know its length. */
  readonly isMeasured?: boolean;
}

export interface Node {
  readonly index: number;
  readonly peer: PeerId;
  readonly pair: KeyPair;
  core: Membership;
  isUp: boolean;
  /** Stopped as by SIGSTOP: what comes waits. */
  isStopped: boolean;
  run: number;
  readonly waiting: (() => void)[];
  readonly changes: { readonly atMs: number; readonly member: MemberView; readonly before: MemberView | null }[];
  refusals: number;
}

export class World {
  nowMs = 1_000;
  readonly nodes: Node[] = [];
  readonly byPeer = new Map<PeerId, Node>();
  readonly cuts = new Set<string>();
  readonly kinds = new Map<string, number>();
  messages = 0;
  bytes = 0;
  longest = 0;
  loss: number;
  readonly options: WorldOptions;
  admitted: Set<PeerId> | null = null;
  readonly #heap: Event[] = [];
  readonly #codec = new PostCodec({ min: 1, max: 1, software: "0.1.0" });
  readonly #verified = new WeakSet<Uint8Array>();
  #order = 0;
  #random: number;
  #wallMs = 1_700_000_000_000;

  constructor(options: WorldOptions) {
    this.options = options;
    this.loss = options.loss ?? 0;
    this.#random = options.seed | 0;
  }

  random = (): number => {
    this.#random = (this.#random + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#random ^ (this.#random >>> 15), 1 | this.#random);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };

  /** A new node that knows nobody. */
  add(): Node {
    const privateKey = Uint8Array.from({ length: 32 }, () => Math.floor(this.random() * 256));
    const pair = { privateKey, publicKey: publicKeyOfSeed(privateKey) };
    const peer = keys.peerOf(pair.publicKey);
    const base = {
      index: this.nodes.length,
      peer,
      pair,
      isUp: true,
      isStopped: false,
      run: 0,
      waiting: [],
      changes: [],
    };
    const node: Node = { ...base, refusals: 0, core: null as never };
    this.nodes.push(node);
    this.byPeer.set(peer, node);
    this.start(node);
    return node;
  }

  /** Starts or restarts: a new process with the same identity. */
  start(node: Node, incarnation: number = this.#wallMs + Math.floor(this.nowMs)): void {
    node.isUp = true;
    node.run++;
    node.core = new Membership({
      self: this.facts(node),
      incarnation,
      nowMs: this.nowMs,
      sign: (record) => this.sign(node.pair, record),
      verify: (bytes, signature, peer) => this.#verify(bytes, signature, peer),
      allow: (peer) => this.admitted?.has(peer) ?? true,
      ...(this.admitted === null ? {} : { admittedCount: () => this.admitted?.size ?? 0 }),
      random: this.random,
      ...(this.options.timings === undefined ? {} : { timings: this.options.timings }),
    });
    this.#plan(node);
  }

  facts(node: Node): Omit<MemberRecord, "incarnation" | "state"> {
    const addresses = [`/ip4/10.0.0.${node.index % 250}/tcp/4100` as Address];
    const versions = { version: "0.1.0", protocolMin: 1, protocolMax: 1 };
    return {
      peer: node.peer,
      name: `n${node.index}`,
      addresses,
      ...versions,
      slots: 4,
      memoryBytes: 2 ** 33,
      voter: "auto",
    };
  }

  sign(pair: KeyPair, record: MemberRecord): SignedRecord {
    const bytes = encodeMemberRecord(record);
    return { record, bytes, signature: keys.sign(pair, bytes) };
  }

  /** Really verifies, but the same bytes once for all nodes. */
  #verify(bytes: Uint8Array, signature: Uint8Array, peer: PeerId): boolean {
    if (this.#verified.has(bytes)) return true;
    const publicKey = keys.publicKeyOf(peer);
    const isTrue = publicKey !== null && keys.verify(publicKey, bytes, signature);
    if (isTrue) this.#verified.add(bytes);
    return isTrue;
  }

  at(delayMs: number, run: () => void): void {
    const event = { atMs: this.nowMs + delayMs, order: this.#order++, run };
    let at = this.#heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, this.#heap[parent] as Event)) break;
      this.#heap[at] = this.#heap[parent] as Event;
      at = parent;
    }
    this.#heap[at] = event;
  }

  #pop(): Event {
    const heap = this.#heap;
    const first = heap[0] as Event;
    const last = heap.pop() as Event;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
    return first;
  }

  /** Lets `ms` pass, or less when `until` becomes true; gives how long. */
  run(ms: number, until?: () => boolean): number {
    const startMs = this.nowMs;
    const endMs = startMs + ms;
    while (this.#heap.length > 0 && (this.#heap[0] as Event).atMs <= endMs) {
      const event = this.#pop();
      this.nowMs = event.atMs;
      event.run();
      if (until?.() === true) return this.nowMs - startMs;
    }
    this.nowMs = endMs;
    return ms;
  }

  crash(node: Node): void {
    node.isUp = false;
    node.run++;
  }

  stop(node: Node): void {
    node.isStopped = true;
  }

  resume(node: Node): void {
    node.isStopped = false;
    for (const input of node.waiting.splice(0)) input();
  }

  /** No message from `from` reaches `to` any more. */
  cut(from: Node, to: Node): void {
    this.cuts.add(`${from.index} ${to.index}`);
  }

  split(one: readonly Node[], other: readonly Node[]): void {
    for (const a of one) {
      for (const b of other) {
        this.cut(a, b);
        this.cut(b, a);
      }
    }
  }

  /** Gives `node` an input, now or when it goes on; then does what it wants done. */
  input(node: Node, run: (core: Membership) => void): void {
    if (!node.isUp) return;
    if (node.isStopped) {
      node.waiting.push(() => this.input(node, run));
      return;
    }
    run(node.core);
    this.act(node);
  }

  act(node: Node): void {
    for (const action of node.core.take()) {
      if (action.kind === "send") this.#post(node, action.to, action.message);
      else if (action.kind === "changed")
        node.changes.push({ atMs: this.nowMs, member: action.member, before: action.before });
      else if (action.kind === "refused") node.refusals++;
    }
  }

  #plan(node: Node): void {
    const { run } = node;
    const tick = (): void => {
      if (node.run !== run) return;
      this.input(node, (core) => {
        core.tick(this.nowMs);
        this.at(Math.max(1, core.dueMs() - this.nowMs), tick);
      });
    };
    this.at(0, tick);
  }

  #post(from: Node, peer: PeerId, message: GossipMessage): void {
    this.#measure(message);
    const to = this.byPeer.get(peer);
    if (to === undefined || !to.isUp || this.cuts.has(`${from.index} ${to.index}`)) return;
    if (this.random() < this.loss) return;
    this.#deliver(from, to, message);
    if (this.options.doubled !== undefined && this.random() < this.options.doubled) this.#deliver(from, to, message);
  }

  #deliver(from: Node, to: Node, message: GossipMessage): void {
    const [low, high] = this.options.delayMs ?? [0.2, 2];
    this.at(low + (high - low) * this.random(), () =>
      this.input(to, (core) => core.receive(from.peer, message, this.nowMs)),
    );
  }

  #measure(message: GossipMessage): void {
    this.messages++;
    this.kinds.set(message.kind, (this.kinds.get(message.kind) ?? 0) + 1);
    if (this.options.isMeasured !== true) return;
    const { length } = this.#codec.encode({ kind: "gossip", message });
    this.bytes += length;
    this.longest = Math.max(this.longest, length);
  }

  /** What `node` holds of `about`. */
  health(node: Node, about: Node): string {
    return node.core.member(about.peer)?.health ?? "unknown";
  }

  /** Whether all that run agree: those that run are alive, and nothing else is. */
  isSettled(): boolean {
    const up = this.nodes.filter(({ isUp }) => isUp);
    return up.every((node) => {
      const alive = node.core.members().filter(({ health }) => health === "alive");
      return alive.length === up.length && alive.every(({ peer }) => this.byPeer.get(peer)?.isUp === true);
    });
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

/** `count` nodes that joined through the first and know each other. */
export function cluster(count: number, options: WorldOptions): World {
  const world = new World(options);
  for (let index = 0; index < count; index++) world.add();
  const [first] = world.nodes;
  for (const node of world.nodes.slice(1)) world.input(node, (core) => core.join([(first as Node).peer], world.nowMs));
  const loss = world.loss;
  world.loss = 0;
  const tookMs = world.run(30_000, count <= 20 ? () => world.isSettled() : undefined);
  if (count <= 20 && !world.isSettled()) throw new Error(`Not settled after ${tookMs} ms, seed ${options.seed}`);
  world.loss = loss;
  return world;
}

/** The same by telling each of all others directly: for large clusters. */
export function introduced(count: number, options: WorldOptions): World {
  const world = new World(options);
  for (let index = 0; index < count; index++) world.add();
  const records = world.nodes.map(({ core, peer }) => core.member(peer)?.record as MemberRecord);
  const signed = world.nodes.map(({ pair }, index) => world.sign(pair, records[index] as MemberRecord));
  for (const node of world.nodes) {
    world.act(node);
    const message: GossipMessage = { kind: "digest-reply", updates: { records: signed, verdicts: [] }, wanted: [] };
    node.core.receive("introducer" as PeerId, message, world.nowMs);
    node.core.take();
    node.changes.length = 0;
  }
  return world;
}
