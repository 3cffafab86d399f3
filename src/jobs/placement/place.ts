/** Which task goes to which slot. Pure: the same facts give the same places. */
import type { PeerId } from "../../kernel/mod.ts";
import { unreachable } from "../../kernel/mod.ts";
import type { TaskVertex } from "../physical/mod.ts";

export interface AgentFacts {
  readonly peer: PeerId;
  readonly slotCount: number;
  /** Numbers of the slots that nobody uses. */
  readonly freeSlots: readonly number[];
  readonly slotMemoryBytes: number;
  /** 0 … 1: how busy its cores are with whatever. */
  readonly load: number;
}

export interface TaskNeeds {
  readonly task: TaskVertex;
  readonly memoryBytes: number;
  /** Bytes of its input that lie with each agent. */
  readonly inputBytes?: ReadonlyMap<PeerId, number>;
  /** Agents of tasks that it should be with, best first. */
  readonly near?: readonly PeerId[];
}

export interface Place {
  readonly task: TaskVertex;
  readonly peer: PeerId;
  readonly slot: number;
}

/**
 * - roundRobin: one agent after the other.
 * - hash: by job and task, so that a task comes back to its agent as long as that is there (rendezvous hashing).
 * - loadBalanced: where the largest share of slots is free and cores are least busy.
 * - locality: where most of its input is, else as loadBalanced.
 * - coLocated: with the tasks it reads from, else as locality.
 */
export type PlacementStrategy = "roundRobin" | "hash" | "loadBalanced" | "locality" | "coLocated";

export interface PlaceOptions {
  readonly strategy: PlacementStrategy;
  /** Names the job: other jobs' tasks go elsewhere by hash, and begin elsewhere in turn. */
  readonly seed: string;
}

/** An agent while places are given away. */
interface Candidate {
  readonly at: number;
  readonly facts: AgentFacts;
  readonly free: number[];
}

/** Tasks in the order given, each in a slot of its own; those without a place stay out. */
export function placeTasks(
  tasks: readonly TaskNeeds[],
  agents: readonly AgentFacts[],
  options: PlaceOptions,
): { readonly placed: readonly Place[]; readonly waiting: readonly TaskNeeds[] } {
  const placement = new Placement(agents, options);
  const placed: Place[] = [];
  const waiting: TaskNeeds[] = [];
  for (const needs of tasks) {
    const place = placement.place(needs);
    if (place === null) waiting.push(needs);
    else placed.push(place);
  }
  return { placed, waiting };
}

/** Free slots while they are given away. */
export class Placement {
  readonly #candidates: readonly Candidate[];
  readonly #options: PlaceOptions;
  #freeCount = 0;
  #turn: number;

  constructor(agents: readonly AgentFacts[], options: PlaceOptions) {
    const inOrder = [...agents].sort((a, b) => (a.peer < b.peer ? -1 : a.peer > b.peer ? 1 : 0));
    this.#candidates = inOrder.map((facts, at) => ({ at, facts, free: [...facts.freeSlots].sort((a, b) => a - b) }));
    this.#options = options;
    this.#turn = hashOf(options.seed);
    for (const { free } of this.#candidates) this.#freeCount += free.length;
  }

  /** Null when no slot is free that will do. */
  place(needs: TaskNeeds): Place | null {
    if (this.#freeCount === 0) return null;
    const able = this.#candidates.filter(
      ({ facts, free }) => free.length > 0 && facts.slotMemoryBytes >= needs.memoryBytes,
    );
    const chosen = choose(able, needs, { ...this.#options, turn: this.#turn, count: this.#candidates.length });
    const slot = chosen?.free.shift();
    if (chosen === undefined || slot === undefined) return null;
    this.#turn = chosen.at + 1;
    this.#freeCount--;
    return { task: needs.task, peer: chosen.facts.peer, slot };
  }

  /** All of them, or null and nothing is given away. */
  placeAll(tasks: readonly TaskNeeds[]): readonly Place[] | null {
    if (tasks.length > this.#freeCount) return null;
    const turn = this.#turn;
    const placed: Place[] = [];
    for (const needs of tasks) {
      const place = this.place(needs);
      if (place !== null) {
        placed.push(place);
        continue;
      }
      for (const { peer, slot } of placed.reverse()) this.#giveBack(peer, slot);
      this.#turn = turn;
      return null;
    }
    return placed;
  }

  #giveBack(peer: PeerId, slot: number): void {
    this.#candidates.find(({ facts }) => facts.peer === peer)?.free.unshift(slot);
    this.#freeCount++;
  }
}

function choose(
  able: readonly Candidate[],
  needs: TaskNeeds,
  options: PlaceOptions & { readonly turn: number; readonly count: number },
): Candidate | undefined {
  const { strategy, seed, turn, count } = options;
  switch (strategy) {
    case "roundRobin":
      return able.find(({ at }) => at >= turn % count) ?? able[0];
    case "hash": {
      const { fragment, index } = needs.task;
      return best(able, ({ facts }) => [hashOf(`${seed}/${fragment}/${index}/${facts.peer}`)]);
    }
    case "loadBalanced":
      return best(able, (candidate) => [freeShare(candidate)]);
    case "locality":
      return best(able, (candidate) => [bytesAt(needs, candidate), freeShare(candidate)]);
    case "coLocated":
      return best(able, (candidate) => [nearness(needs, candidate), bytesAt(needs, candidate), freeShare(candidate)]);
    default:
      return unreachable(strategy);
  }
}

/** The one with the greatest score, compared number by number; the first of equals. */
function best(able: readonly Candidate[], score: (candidate: Candidate) => readonly number[]): Candidate | undefined {
  let winner: { readonly candidate: Candidate; readonly score: readonly number[] } | undefined;
  for (const candidate of able) {
    const own = score(candidate);
    if (winner === undefined || isGreater(own, winner.score)) winner = { candidate, score: own };
  }
  return winner?.candidate;
}

function isGreater(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at >= 0 && (a[at] as number) > (b[at] as number);
}

function freeShare({ facts, free }: Candidate): number {
  return free.length / Math.max(1, facts.slotCount) - facts.load;
}

function bytesAt({ inputBytes }: TaskNeeds, { facts }: Candidate): number {
  return inputBytes?.get(facts.peer) ?? 0;
}

function nearness({ near = [] }: TaskNeeds, { facts }: Candidate): number {
  const at = near.indexOf(facts.peer);
  return at < 0 ? -near.length - 1 : -at;
}

/** FNV-1a and a mix at the end: similar texts give far numbers. */
function hashOf(text: string): number {
  let hash = 2_166_136_261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16_777_619);
  hash = Math.imul(hash ^ (hash >>> 16), 2_246_822_507);
  return (hash ^ (hash >>> 13)) >>> 0;
}
