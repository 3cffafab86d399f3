import type { Seeded } from "../world/seeded.ts";

/** How the network treats a single message at the moment. */
export interface Weather {
  /** One way, besides jitter. */
  readonly delayMs: number;
  /** Mean of what is added, exponentially distributed: reorders posts. */
  readonly jitterMs: number;
  /** Share of posts that are lost. */
  readonly loss: number;
  /** Share of posts that arrive twice. */
  readonly duplication: number;
}

export const FAIR_WEATHER: Weather = { delayMs: 0.3, jitterMs: 0.2, loss: 0, duplication: 0 };

/** Which hosts do not hear which others, one way at a time, and the weather for all. */
export class Links {
  weather: Weather = FAIR_WEATHER;
  readonly #cut = new Set<string>();

  /** What `from` sends no longer reaches `to`. */
  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
  }

  /** Cuts both ways between the two sides. */
  split(left: readonly string[], right: readonly string[]): void {
    for (const a of left) {
      for (const b of right) {
        this.cut(a, b);
        this.cut(b, a);
      }
    }
  }

  heal(): void {
    this.#cut.clear();
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.size > 0 && this.#cut.has(`${from}>${to}`);
  }

  get cutCount(): number {
    return this.#cut.size;
  }

  delayMs(random: Seeded): number {
    return this.weather.delayMs + random.exponential(this.weather.jitterMs);
  }
}
