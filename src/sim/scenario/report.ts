import type { Violation } from "../check/violation.ts";

export interface Reported {
  readonly seed: number;
  readonly violations: readonly Violation[];
  readonly stats: { readonly terms: number; readonly entries: number };
}

/** What went wrong in a run, for people, and how to see it again. Empty when nothing did. */
export function reportOf({ seed, violations, stats }: Reported, replay: string): string {
  if (violations.length === 0) return "";
  const lines = violations.map(({ kind, atMs, text }) => `  ${kind} at ${(atMs / 1000).toFixed(3)} s: ${text}`);
  return [
    `seed ${seed}: ${violations.length} violation${violations.length === 1 ? "" : "s"}`,
    ...lines,
    `  in term ${stats.terms}, ${stats.entries} entries`,
    `  replay: ${replay}`,
    "",
  ].join("\n");
}
