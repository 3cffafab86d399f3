/**
 * Applying a retried proposal once.
 *
 * A proposer that lost its answer sends the same command again, with the same session and sequence; the log may then hold
 * both. A session keeps the outcomes of its newest requests, as far as they are not known to have arrived, and a second
 * copy is answered from there.
 *
 * Sessions are bounded, so one that still sends may be forgotten, and a copy must not pass for a new request then. Each
 * request says which index its owner knew as applied when the session began. All that the session did lies behind it; a
 * forgotten session that did something since was last used at or before `forgottenTo`. Hence an unknown session that
 * began at or after `forgottenTo` is new for certain, and any other is refused. After Ongaro, Consensus (2014), §6.3, without its
 * round trip to register.
 */
import type { RequestId } from "./command.ts";
import { SESSION_IDLE_ENTRIES_MAX, SESSION_WINDOW_MAX, SESSIONS_MAX } from "./limits.ts";
import { type Outcome, refuse } from "./result.ts";

interface Session {
  lastIndex: number;
  /** Requests up to here are not recognised any more. */
  floor: number;
  readonly outcomes: Map<number, Outcome>;
}

export interface SessionRow {
  readonly session: string;
  readonly lastIndex: number;
  readonly floor: number;
  readonly outcomes: readonly (readonly [number, Outcome])[];
}

/** Drops the outcomes from the old floor to the new one: one by one when these are few, as they mostly are. */
function dropUpTo(floor: number, { floor: oldFloor, outcomes }: Session): void {
  if (floor - oldFloor <= outcomes.size) {
    for (let sequence = oldFloor + 1; sequence <= floor; sequence++) outcomes.delete(sequence);
    return;
  }
  for (const sequence of outcomes.keys()) if (sequence <= floor) outcomes.delete(sequence);
}

export class Sessions {
  /** In the order of their last use, which is part of the state. */
  readonly #sessions = new Map<string, Session>();
  #forgottenTo = 0;
  /** No session was used last before it; saves looking at each command. */
  #oldestIndex = 0;

  get forgottenTo(): number {
    return this.#forgottenTo;
  }

  /** What is to be answered instead of applying; null when the request is new. */
  find(request: RequestId): Outcome | null {
    const session = this.#sessions.get(request.session);
    if (session === undefined) {
      if (request.since >= this.#forgottenTo) return null;
      return refuse("session-expired", "Cannot tell whether this request was applied: its session was forgotten.");
    }
    const known = session.outcomes.get(request.sequence);
    if (known !== undefined) return known;
    if (request.sequence > session.floor) return null;
    return refuse("session-expired", "Cannot tell whether this request was applied: it is too old for its session.");
  }

  /** Keeps the outcome of a request that `find` took for new. */
  record(request: RequestId, index: number, outcome: Outcome): void {
    const known = this.#sessions.get(request.session);
    const session = known ?? { lastIndex: index, floor: 0, outcomes: new Map<number, Outcome>() };
    session.lastIndex = index;
    session.outcomes.set(request.sequence, outcome);
    // An answer can only have arrived for what was sent before this request.
    const answeredTo = Math.min(request.answeredTo, request.sequence - 1);
    const floor = Math.max(answeredTo, request.sequence - SESSION_WINDOW_MAX);
    if (floor > session.floor) {
      dropUpTo(floor, session);
      session.floor = floor;
    }
    if (known !== undefined) this.#sessions.delete(request.session);
    this.#sessions.set(request.session, session);
    this.#forget(index);
  }

  #forget(index: number): void {
    if (this.#sessions.size <= SESSIONS_MAX && index - this.#oldestIndex <= SESSION_IDLE_ENTRIES_MAX) return;
    for (const [id, { lastIndex }] of this.#sessions) {
      this.#oldestIndex = lastIndex;
      if (this.#sessions.size <= SESSIONS_MAX && index - lastIndex <= SESSION_IDLE_ENTRIES_MAX) return;
      this.#sessions.delete(id);
      this.#forgottenTo = lastIndex;
    }
  }

  rows(): SessionRow[] {
    return [...this.#sessions].map(([session, { lastIndex, floor, outcomes }]) => ({
      session,
      lastIndex,
      floor,
      outcomes: [...outcomes].sort(([a], [b]) => a - b),
    }));
  }

  static restore(rows: readonly SessionRow[], forgottenTo: number): Sessions {
    const sessions = new Sessions();
    for (const { session, lastIndex, floor, outcomes } of rows) {
      sessions.#sessions.set(session, { lastIndex, floor, outcomes: new Map(outcomes) });
    }
    sessions.#forgottenTo = forgottenTo;
    return sessions;
  }
}
