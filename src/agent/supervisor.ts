/**
 * Who is started again when a child has ended, and when. Pure: told what happened, it says what to do.
 *
 * Strategies and policies are those of Erlang/OTP's supervisors: on the end of a child that is to be started again,
 * one-for-one starts it alone, one-for-all ends and starts all, rest-for-one those that were added after it too.
 *
 * @see https://www.erlang.org/doc/system/sup_princ.html
 */
import { invariant, type Random, unreachable } from "../kernel/mod.ts";
import { Backoff, type BackoffOptions } from "./backoff.ts";
import { Breaker, type BreakerOptions } from "./breaker.ts";

export type Strategy = "one-for-one" | "one-for-all" | "rest-for-one";

/** permanent: always started again. transient: unless it ended in order. temporary: never. */
export type RestartPolicy = "permanent" | "transient" | "temporary";

export interface SupervisorOptions {
  readonly strategy: Strategy;
  readonly backoff: BackoffOptions;
  readonly breaker: BreakerOptions;
  /** A child that ran so long has shown that it can: its next end counts as the first. */
  readonly stableMs: number;
}

export interface Verdict {
  /** Children to end, newest first; their ends are expected and need not be told. */
  readonly end: readonly string[];
  /** Children to start, oldest first, so long from now. */
  readonly start: readonly { readonly id: string; readonly afterMs: number }[];
}

const NOTHING: Verdict = { end: [], start: [] };

interface Child {
  readonly policy: RestartPolicy;
  readonly backoff: Backoff;
  /** Null while it is down. */
  startedMs: number | null;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #random: Pick<Random, "next">;
  /** In order of their adding. */
  readonly #children = new Map<string, Child>();
  readonly #breaker: Breaker;

  constructor(options: SupervisorOptions, random: Pick<Random, "next">) {
    this.#options = options;
    this.#random = random;
    this.#breaker = new Breaker(options.breaker);
  }

  /** Children, oldest first. */
  get ids(): readonly string[] {
    return [...this.#children.keys()];
  }

  add(id: string, policy: RestartPolicy): void {
    invariant(!this.#children.has(id), `child ${id} is new`);
    this.#children.set(id, { policy, backoff: new Backoff(this.#options.backoff, this.#random), startedMs: null });
  }

  remove(id: string): void {
    this.#children.delete(id);
  }

  /** How long nothing is started, for too many have failed; 0: it is. */
  restMs(nowMs: number): number {
    return this.#breaker.restMs(nowMs);
  }

  /** True while one start has to show whether they succeed again. */
  isTrying(nowMs: number): boolean {
    return this.#breaker.state(nowMs) === "half-open";
  }

  /** The child is up. */
  started(id: string, nowMs: number): void {
    this.#child(id).startedMs = nowMs;
  }

  /** A child has done what it is for: failures before it count no more. */
  proved(id: string): void {
    this.#child(id).backoff.succeeded();
    this.#breaker.succeeded();
  }

  /** A child has ended unasked, or could not be started. */
  exited(id: string, how: { readonly isOrderly: boolean; readonly nowMs: number }): Verdict {
    const child = this.#child(id);
    const { nowMs, isOrderly } = how;
    const ranMs = child.startedMs === null ? 0 : nowMs - child.startedMs;
    child.startedMs = null;
    if (ranMs >= this.#options.stableMs) child.backoff.succeeded();
    if (!isOrderly) this.#breaker.failed(nowMs);
    if (!isRestarted(child.policy, isOrderly)) {
      this.#children.delete(id);
      return NOTHING;
    }
    const afterMs = Math.max(isOrderly ? 0 : child.backoff.failed(), this.#breaker.restMs(nowMs));
    const affected = this.#affectedBy(id);
    const others = affected.filter((other) => other !== id && this.#child(other).startedMs !== null);
    for (const other of others) this.#child(other).startedMs = null;
    for (const other of others) if (this.#child(other).policy === "temporary") this.#children.delete(other);
    const again = affected.filter((other) => other === id || (others.includes(other) && this.#children.has(other)));
    return { end: others.reverse(), start: again.map((each) => ({ id: each, afterMs })) };
  }

  #affectedBy(id: string): readonly string[] {
    const { ids } = this;
    switch (this.#options.strategy) {
      case "one-for-one":
        return [id];
      case "one-for-all":
        return ids;
      case "rest-for-one":
        return ids.slice(ids.indexOf(id));
      default:
        return unreachable(this.#options.strategy);
    }
  }

  #child(id: string): Child {
    const child = this.#children.get(id);
    invariant(child !== undefined, `child ${id} is known`);
    return child;
  }
}

function isRestarted(policy: RestartPolicy, isOrderly: boolean): boolean {
  switch (policy) {
    case "permanent":
      return true;
    case "transient":
      return !isOrderly;
    case "temporary":
      return false;
    default:
      return unreachable(policy);
  }
}
