/** A figure that the cluster has to reach, and what was measured. */
export interface Figure {
  readonly what: string;
  readonly wanted: string;
  readonly reached: string;
  /** Null when it is only reported. */
  readonly holds: boolean | null;
}

/** Of sorted values; `share` 0.5 is the median. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function sorted(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

/** A row for a median that may be at most `limit`. */
export function atMost(what: string, unit: string, values: readonly number[], limit: number): Figure {
  const all = sorted(values);
  const median = quantile(all, 0.5);
  const shown = `${rounded(median)} ${unit} (${rounded(all[0] ?? Number.NaN)} to ${rounded(quantile(all, 1))})`;
  return { what, wanted: `≤ ${limit} ${unit}`, reached: shown, holds: median <= limit };
}

export function rounded(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
