/** What must never happen, and did. */
export type ViolationKind =
  | "two-leaders"
  | "entry-changed"
  | "state-differs"
  | "acknowledged-lost"
  | "job-lost"
  | "job-wrong"
  | "sink-wrong"
  | "stale-order"
  | "left-behind"
  | "blob-lost"
  | "not-linearizable"
  | "node-ended"
  | "no-agreement"
  | "no-progress"
  | "error";

export interface Violation {
  readonly kind: ViolationKind;
  readonly atMs: number;
  /** Names hosts, indexes and values. */
  readonly text: string;
}
