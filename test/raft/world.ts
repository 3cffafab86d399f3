import type { PeerId } from "../../src/kernel/mod.ts";
import {
  changeOf,
  type Entry,
  firstChange,
  type Membership,
  type Message,
  Raft,
  type RaftRules,
  type ReadOutcome,
  type Ready,
  type Snapshot,
} from "../../src/raft/mod.ts";
import { MemoryStore } from "./memory_store.ts";

export const ELECTION_TIMEOUT_MS = 500;
export const HEARTBEAT_MS = 100;

export type Letter = { readonly from: PeerId; readonly to: PeerId; readonly message: Message };

/** Called as things happen; the tests' own judgement. */
export type Watch = {
  ready?(node: Node, ready: Ready): void;
  applied?(node: Node, entry: Entry): void;
  restored?(node: Node, snapshot: Snapshot): void;
  read?(node: Node, outcome: ReadOutcome): void;
};

export type WorldOptions = {
  readonly random: (peer: PeerId) => number;
  readonly rules?: RaftRules;
  readonly watch?: Watch;
};

/** A state machine that is the list of what it was told, with a sum over it. */
export type Machine = { applied: number; sum: number; words: string[] };

/** One machine with its disk. `raft` is null while it is down. */
export class Node {
  readonly id: PeerId;
  readonly store = new MemoryStore();
  readonly clock = { rate: 1, offsetMs: 0 };
  raft: Raft | null = null;
  machine: Machine = { applied: 0, sum: 0, words: [] };

  constructor(id: PeerId) {
    this.id = id;
  }
}

/** Machines and the letters between them. Nothing moves by itself. */
export class World {
  readonly options: WorldOptions;
  readonly nodes = new Map<PeerId, Node>();
  nowMs = 1_000;
  wire: Letter[] = [];

  constructor(options: WorldOptions) {
    this.options = options;
  }

  add(name: string, membership: Membership | null): Node {
    const node = new Node(name as PeerId);
    if (membership !== null) node.store.save(firstChange(membership));
    this.nodes.set(node.id, node);
    this.start(node);
    return node;
  }

  start(node: Node): void {
    const { snapshot } = node.store.load();
    node.machine = { applied: 0, sum: 0, words: [] };
    if (snapshot !== null) node.machine = parse(node.store.snapshotBytes(0, snapshot.bytes));
    const { rules, random } = this.options;
    node.raft = new Raft(
      {
        id: node.id,
        electionTimeoutMs: ELECTION_TIMEOUT_MS,
        heartbeatMs: HEARTBEAT_MS,
        random: () => random(node.id),
        ...(rules === undefined ? {} : { rules }),
      },
      node.store,
      this.nowOf(node),
    );
  }

  nowOf({ clock }: Node): number {
    return this.nowMs * clock.rate + clock.offsetMs;
  }

  /** Does what one Ready asks for. False when there was none. */
  work(node: Node, { isSaved = true }: { isSaved?: boolean } = {}): boolean {
    const { raft } = node;
    if (raft === null || !raft.hasReady()) return false;
    const ready = raft.ready();
    if (!isSaved) {
      node.raft = null;
      return true;
    }
    const change = changeOf(ready);
    if (change !== null) node.store.save(change);
    for (const { to, message } of ready.messages) this.wire.push({ from: node.id, to, message });
    const { watch } = this.options;
    watch?.ready?.(node, ready);
    if (ready.snapshot !== null) {
      node.machine = parse(ready.snapshot.data);
      watch?.restored?.(node, ready.snapshot);
    }
    for (const entry of ready.committed) {
      apply(node.machine, entry);
      watch?.applied?.(node, entry);
    }
    for (const outcome of ready.reads) watch?.read?.(node, outcome);
    raft.advance(ready);
    return true;
  }

  settle(node: Node): void {
    while (this.work(node));
  }

  deliver({ from, to, message }: Letter): void {
    const node = this.nodes.get(to);
    if (node?.raft) node.raft.step(from, message, this.nowOf(node));
  }

  compact(node: Node, keepEntries: number): void {
    this.settle(node);
    const { machine } = node;
    if (machine.applied === 0) return;
    node.raft?.compact({
      index: machine.applied,
      data: new TextEncoder().encode(JSON.stringify(machine)),
      keepEntries,
    });
  }
}

function apply(machine: Machine, entry: Entry): void {
  if (entry.index !== machine.applied + 1) throw new Error(`applied ${entry.index} after ${machine.applied}`);
  machine.applied = entry.index;
  machine.sum = (machine.sum * 31 + entry.term * 7 + entry.index) % 1_000_003;
  if (entry.kind !== "data") return;
  machine.words.push(new TextDecoder().decode(entry.data));
  for (const byte of entry.data.subarray(0, 64)) machine.sum = (machine.sum * 31 + byte) % 1_000_003;
}

function parse(bytes: Uint8Array): Machine {
  return JSON.parse(new TextDecoder().decode(bytes)) as Machine;
}

/** Chance from a seed (mulberry32). */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
