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
  /** Where it stands among the tasks of its fragment: 0 … 1. */
  readonly share?: number;
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
 * - range: neighbouring tasks of a fragment together, to each agent by the slots that it has.
 * - loadBalanced: where the largest share of slots is free and cores are least busy.
 * - locality: where most of its input is, else as loadBalanced.
 * - coLocated: with the tasks it reads from, else as locality.
 */
export type PlacementStrategy = "roundRobin" | "hash" | "range" | "loadBalanced" | "locality" | "coLocated";

export interface PlaceOptions {
  readonly strategy: PlacementStrategy;
  /** Names the job: other jobs' tasks go elsewhere by hash, and begin elsewhere in turn. */
  readonly seed: string;
}

/** An agent while places are given away. */
interface Candidate {
  readonly at: number;
  /** Share of all slots that are its own or of agents before it. */
  readonly until: number;
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
  readonly #agentCount: number;
  #freeCount = 0;
  #turn: number;

  constructor(agents: readonly AgentFacts[], options: PlaceOptions) {
    const inOrder = areSorted(agents) ? agents : [...agents].sort((a, b) => (a.peer < b.peer ? -1 : 1));
    const slots = inOrder.reduce((sum, { slotCount }) => sum + slotCount, 0);
    let before = 0;
    this.#candidates = inOrder.flatMap((facts, at) => {
      before += facts.slotCount;
      if (facts.freeSlots.length === 0) return [];
      const free = [...facts.freeSlots].sort((a, b) => a - b);
      return [{ at, until: before / slots, facts, free }];
    });
    this.#options = options;
    this.#agentCount = agents.length;
    this.#turn = hashOf(options.seed);
    for (const { free } of this.#candidates) this.#freeCount += free.length;
  }

  /** Null when no slot is free that will do. */
  place(needs: TaskNeeds): Place | null {
    if (this.#freeCount === 0) return null;
    const able = this.#candidates.filter(
      ({ facts, free }) => free.length > 0 && facts.slotMemoryBytes >= needs.memoryBytes,
    );
    const chosen = choose(able, needs, { ...this.#options, turn: this.#turn, count: this.#agentCount });
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
      return best(able, (one) => hashOf(`${seed}/${fragment}/${index}/${one.facts.peer}`));
    }
    case "range":
      return able.find(({ until }) => until > (needs.share ?? 0)) ?? able[0];
    case "loadBalanced":
      return best(able, freeShare);
    case "locality":
      return best(where(able, { ...needs, near: [] }), (one) => bytesAt(needs, one), freeShare);
    case "coLocated":
      return best(
        where(able, needs),
        (one) => nearness(needs, one),
        (one) => bytesAt(needs, one),
        freeShare,
      );
    default:
      return unreachable(strategy);
  }
}

/** Those that have of the task's input or are near, if there are any: all others are worse, and equal but for their load. */
function where(able: readonly Candidate[], { inputBytes, near = [] }: TaskNeeds): readonly Candidate[] {
  if ((inputBytes?.size ?? 0) === 0 && near.length === 0) return able;
  const better = able.filter(({ facts: { peer } }) => (inputBytes?.get(peer) ?? 0) > 0 || near.includes(peer));
  return better.length === 0 ? able : better;
}

/** The one with the greatest score by the first measure that tells them apart; the first of equals. */
function best(
  able: readonly Candidate[],
  ...measures: readonly ((candidate: Candidate) => number)[]
): Candidate | undefined {
  let winner = able[0];
  for (let at = 1; at < able.length; at++) {
    const candidate = able[at] as Candidate;
    for (const measure of measures) {
      const difference = measure(candidate) - measure(winner as Candidate);
      if (difference > 0) winner = candidate;
      if (difference !== 0) break;
    }
  }
  return winner;
}

function areSorted(agents: readonly AgentFacts[]): boolean {
  for (let at = 1; at < agents.length; at++) {
    if ((agents[at - 1] as AgentFacts).peer > (agents[at] as AgentFacts).peer) return false;
  }
  return true;
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
