import type { Clock, Random } from "../../kernel/mod.ts";
import { type RequestId, SESSION_WINDOW_MAX } from "../state/mod.ts";

export interface LanesOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** An index that is known to be applied. */
  readonly appliedIndex: () => number;
}

/** Sessions of one owner at a time; with their windows they bound what is on its way. */
const LANES_MAX = 64;
/** The state may have forgotten a session that rested for so long. */
const LANE_IDLE_MS = 60_000;

/** A session: its requests are numbered, and those without an answer lie within one window. */
interface Lane {
  readonly session: string;
  readonly since: number;
  readonly open: Set<number>;
  lastSequence: number;
  usedMs: number;
}

/** Gives names to requests, so that one that is sent again is known for the same. */
export class Lanes {
  readonly #options: LanesOptions;
  #lanes: Lane[] = [];

  constructor(options: LanesOptions) {
    this.#options = options;
  }

  /** Whether the next name begins a session, for which the applied index is asked for. */
  get isFresh(): boolean {
    return this.#roomy() === undefined;
  }

  /** A new name; null when too many are in use. `close` it when nothing is sent under it any more. */
  open(): RequestId | null {
    const lane = this.#roomy() ?? this.#begin();
    if (lane === null) return null;
    const sequence = ++lane.lastSequence;
    lane.open.add(sequence);
    lane.usedMs = this.#options.clock.nowMs();
    return { session: lane.session, sequence, answeredTo: answeredTo(lane), since: lane.since };
  }

  close({ session, sequence }: Pick<RequestId, "session" | "sequence">): void {
    this.#lanes.find((lane) => lane.session === session)?.open.delete(sequence);
  }

  #roomy(): Lane | undefined {
    const nowMs = this.#options.clock.nowMs();
    this.#lanes = this.#lanes.filter((lane) => lane.open.size > 0 || nowMs - lane.usedMs < LANE_IDLE_MS);
    return this.#lanes.find((lane) => lane.lastSequence - answeredTo(lane) < SESSION_WINDOW_MAX);
  }

  #begin(): Lane | null {
    const { clock, random, appliedIndex } = this.#options;
    if (this.#lanes.length >= LANES_MAX) return null;
    const session = [...random.bytes(12)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const lane: Lane = { session, since: appliedIndex(), open: new Set(), lastSequence: 0, usedMs: clock.nowMs() };
    this.#lanes.push(lane);
    return lane;
  }
}

/** All requests up to here have their answers: sets keep the order in which requests came, the first is the oldest. */
function answeredTo({ open, lastSequence }: Lane): number {
  const [oldest] = open;
  return oldest === undefined ? lastSequence : oldest - 1;
}
