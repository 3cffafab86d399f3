/**
 * Physical plans: frozen data. A plan is cut into fragments; each runs as `parallelism` tasks, and exchanges carry rows
 * between the tasks of one fragment and those of another. Fragments stand in an order in which every fragment comes
 * after those it reads from.
 */
import type { Schema } from "../../arrow/mod.ts";
import type { ConnectorSpec, Plan } from "../../plan/mod.ts";
import type { PlanOutline } from "./outline.ts";

export type FragmentId = number;
export type ExchangeId = number;

/** Connector of scans that read an exchange; their options are `ExchangeScanOptions`. */
export const EXCHANGE = "exchange";
/** Connector of scans that read a part of a source; their options are `PartScanOptions`. */
export const PART = "part";

export type ExchangeScanOptions = {
  readonly edge: ExchangeId;
  /** The reading task's index; absent in the fragment's own plan, there in a task's. */
  readonly task?: number;
};

/** Splits of `source` are shared out in contiguous runs (`splitsOfTask`): this is run `index` of `count`. */
export type PartScanOptions = {
  readonly source: ConnectorSpec;
  readonly index: number;
  readonly count: number;
};

export interface RangeKey {
  readonly column: string;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

interface ExchangeBase {
  readonly id: ExchangeId;
  readonly from: FragmentId;
  readonly to: FragmentId;
  /**
   * What the reader gets: columns of the producer's root, then `ordinal`. Other columns of the root are there to share
   * rows out by, and are not sent.
   */
  readonly schema: Schema;
  /** The consumer starts when all producers have finished, and what they gave is kept until the job ends. */
  readonly isBlocking: boolean;
  /** The consumer reads all of producer 0, then all of producer 1, … Without, producers in any order, each in its own. */
  readonly isOrdered: boolean;
  /**
   * Column, int64 not null, that tells the rows' order: producer × 2^40 + row number within all that it gave, to
   * whichever consumer. Null when not wanted.
   */
  readonly ordinal: string | null;
  /** Bounds are no rows of the plan: the consumer shares out its own rows by them, see `Exchange` of kind range. */
  readonly role: "rows" | "bounds";
}

export type Exchange = ExchangeBase &
  (
    | {
        /** Task i gives to task i + offset. */
        readonly kind: "forward";
        readonly offset: number;
      }
    | {
        /** Equal values of the columns go to one task: nulls too, NaN as one value, -0 as 0, dictionaries by value. */
        readonly kind: "hash";
        readonly keys: readonly string[];
      }
    | {
        /**
         * In the order of the keys: what comes before the first bound goes to task 0, and so on; rows of equal keys go
         * to one task. Bounds are found with `boundRows` among the rows of `boundsFrom`, an input of the producers.
         */
        readonly kind: "range";
        readonly keys: readonly RangeKey[];
        readonly boundsFrom: ExchangeId;
      }
    /** Row or batch by batch to each task in turn. */
    | { readonly kind: "roundRobin" }
    /** Every task gets all rows. */
    | { readonly kind: "broadcast" }
    | {
        /** All rows to the one task. */
        readonly kind: "gather";
        /** Set: each producer gives a sample of at most so many rows, evenly spaced in what it has, in order. */
        readonly sampleRowsMax: number | null;
      }
    /** Batches to whichever task is free. */
    | { readonly kind: "rebalance" }
  );
export type ExchangeKind = Exchange["kind"];

export type FragmentOutput =
  | { readonly kind: "exchanges"; readonly exchanges: readonly ExchangeId[] }
  /** Written by the only task; `root` counts the roots of the plan. */
  | { readonly kind: "sink"; readonly root: number; readonly sink: ConnectorSpec }
  /** Rows of task 0, then of task 1, … */
  | { readonly kind: "client"; readonly root: number };

export interface Fragment {
  readonly id: FragmentId;
  /** One root, without a sink node. Leaves are sources and exchanges. What each task runs is made by `taskPlan`. */
  readonly plan: Plan;
  readonly parallelism: number;
  readonly inputs: readonly ExchangeId[];
  readonly output: FragmentOutput;
  /** A guess of the rows that all tasks give together; null when nobody knows. */
  readonly estimatedRows: number | null;
  /**
   * A task that runs again gives the same rows in the same order to the same partitions, provided that user functions
   * do. Else, whoever has read of an earlier run must run again as well.
   */
  readonly isRepeatable: boolean;
}

export interface PhysicalPlan {
  readonly name: string;
  readonly fragments: readonly Fragment[];
  readonly exchanges: readonly Exchange[];
  readonly rootCount: number;
}

/** One parallel instance of a fragment. */
export interface TaskVertex {
  readonly fragment: FragmentId;
  readonly index: number;
}

export function taskVertices(plan: PlanOutline): TaskVertex[] {
  return plan.fragments.flatMap(({ id, parallelism }) =>
    Array.from({ length: parallelism }, (_, index) => ({ fragment: id, index })),
  );
}
