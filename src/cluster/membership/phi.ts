/**
 * The φ accrual failure detector (Hayashibara, Défago, Yared, Katayama: *The φ Accrual Failure Detector*, SRDS 2004):
 * φ = −log10 of the chance that a heartbeat is still to come, given the intervals seen so far taken as normal.
 */
const SAMPLES_MAX = 64;
const DEVIATION_MIN_MS = 100;
/** A longer gap was an outage, not an interval. */
const INTERVAL_MAX_MS = 5_000;

/** Intervals between the heartbeats of one member. */
export class Intervals {
  readonly #samples = new Float32Array(SAMPLES_MAX);
  #count = 0;
  #next = 0;
  #meanMs = 0;
  #deviationMs = 0;

  /** Starts as if intervals of half and one and a half times `expectedMs` had been seen. */
  constructor(expectedMs: number) {
    this.add(expectedMs / 2);
    this.add(expectedMs * 1.5);
  }

  add(intervalMs: number): void {
    if (intervalMs > INTERVAL_MAX_MS) return;
    this.#samples[this.#next] = intervalMs;
    this.#next = (this.#next + 1) % SAMPLES_MAX;
    this.#count = Math.min(this.#count + 1, SAMPLES_MAX);
    this.#measure();
  }

  /** Two passes over a few samples: running sums would drift over months. */
  #measure(): void {
    let sum = 0;
    for (let at = 0; at < this.#count; at++) sum += this.#samples[at] as number;
    const mean = sum / this.#count;
    let squares = 0;
    for (let at = 0; at < this.#count; at++) squares += ((this.#samples[at] as number) - mean) ** 2;
    this.#meanMs = mean;
    this.#deviationMs = Math.max(DEVIATION_MIN_MS, Math.sqrt(squares / this.#count));
  }

  /** φ after `silentMs` without a sign of life, of which `pauseMs` do not count. */
  phi(silentMs: number, pauseMs: number): number {
    return phiOf((silentMs - this.#meanMs - pauseMs) / this.#deviationMs);
  }
}

/** −log10 of the normal distribution's upper tail at `y`, by the logistic approximation; finite for every `y`. */
function phiOf(y: number): number {
  const exponent = y * (1.5976 + 0.070566 * y * y);
  if (exponent > 30) return exponent * Math.LOG10E;
  return Math.log1p(Math.exp(exponent)) * Math.LOG10E;
}
