import type { ConnectorSpec } from "../../plan/mod.ts";

export interface SourceFacts {
  /** Rows, exact or a guess; null when nobody knows. */
  readonly rowCount: number | null;
  /** Parts that can be read apart; null when nobody knows. */
  readonly splitCount: number | null;
}

export interface PhysicalOptions {
  /** Slots that the job may use at once; tasks of a fragment are at most so many. */
  readonly slots: number;
  /** Tasks of every fragment that can be split, whatever the sizes; null: by the sizes. */
  readonly parallelism: number | null;
  readonly facts: (source: ConnectorSpec) => SourceFacts;
  /** Rows that are worth a task. */
  readonly rowsPerTask: number;
  /** Sides of joins of at most so many rows, and about so many bytes, may go to every task of the other side. */
  readonly broadcastRowsMax: number;
  readonly broadcastBytesMax: number;
  /** At most so many rows are sorted in one task. */
  readonly gatherRowsMax: number;
  /** Rows that each task gives to find the bounds of a range exchange. */
  readonly sampleRowsMax: number;
  /** Consumers start with their producers, where all of them fit into the slots. */
  readonly pipelines: boolean;
}

export const PHYSICAL_DEFAULTS: PhysicalOptions = {
  slots: 1,
  parallelism: null,
  facts: () => ({ rowCount: null, splitCount: null }),
  rowsPerTask: 500_000,
  broadcastRowsMax: 4_000_000,
  broadcastBytesMax: 32 << 20,
  gatherRowsMax: 200_000,
  sampleRowsMax: 1_000,
  pipelines: false,
};

/** Tasks of a fragment. */
export const PARALLELISM_MAX = 4_096;
