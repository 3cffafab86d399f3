import { invariant, type Random } from "../kernel/mod.ts";

export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** Default 2. */
  readonly factor?: number;
  /** Each wait is drawn from `wait × (1 ± jitter)`; 0 to 1, default 0.2. */
  readonly jitter?: number;
}

/** How long to wait after each failure in a row. */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Pick<Random, "next">;
  #failures = 0;

  constructor(options: BackoffOptions, random: Pick<Random, "next">) {
    invariant(options.firstMs >= 0 && options.maxMs >= options.firstMs, "a wait grows from firstMs to maxMs");
    this.#options = options;
    this.#random = random;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** One more failure: the wait before the next try. */
  failed(): number {
    const { firstMs, maxMs, factor = 2, jitter = 0.2 } = this.#options;
    const waitMs = Math.min(maxMs, firstMs * factor ** this.#failures);
    this.#failures++;
    return waitMs * (1 + jitter * (2 * this.#random.next() - 1));
  }

  succeeded(): void {
    this.#failures = 0;
  }
}
