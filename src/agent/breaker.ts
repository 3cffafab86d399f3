export interface BreakerOptions {
  /** So many failures within the window open it. */
  readonly failuresMax: number;
  readonly windowMs: number;
  /** How long it stays open before one more try. */
  readonly restMs: number;
  /** Each try that fails doubles the rest, up to here. */
  readonly restMsMax: number;
}

/**
 * Circuit breaker: after too many failures within a time it lets nothing through for a while ("open"), then one try
 * ("half-open"), whose outcome closes it or opens it for longer.
 */
export class Breaker {
  readonly #options: BreakerOptions;
  #failuresMs: number[] = [];
  #openUntilMs: number | null = null;
  #restMs: number;

  constructor(options: BreakerOptions) {
    this.#options = options;
    this.#restMs = options.restMs;
  }

  /** How long nothing may be tried; 0: now. */
  restMs(nowMs: number): number {
    if (this.#openUntilMs === null) return 0;
    return Math.max(0, this.#openUntilMs - nowMs);
  }

  /** Half open: one try at a time. */
  state(nowMs: number): "closed" | "open" | "half-open" {
    if (this.#openUntilMs === null) return "closed";
    return this.restMs(nowMs) > 0 ? "open" : "half-open";
  }

  succeeded(): void {
    this.#failuresMs = [];
    this.#openUntilMs = null;
    this.#restMs = this.#options.restMs;
  }

  failed(nowMs: number): void {
    const { failuresMax, windowMs, restMsMax } = this.#options;
    if (this.#openUntilMs !== null) {
      if (nowMs < this.#openUntilMs) return; // it was under way when the breaker opened
      this.#restMs = Math.min(restMsMax, this.#restMs * 2);
      this.#openUntilMs = nowMs + this.#restMs;
      return;
    }
    this.#failuresMs = this.#failuresMs.filter((atMs) => atMs > nowMs - windowMs);
    this.#failuresMs.push(nowMs);
    if (this.#failuresMs.length >= failuresMax) this.#openUntilMs = nowMs + this.#restMs;
  }
}
