/** How rows are spread over the partitions of an edge, as plain data. */
export type Partitioning =
  /** Equal keys go to one partition; nulls count as equal. Keys are column names, at least one. */
  | { readonly kind: "hash"; readonly keys: readonly string[]; readonly partitions: number }
  /** Partition p has the rows between bounds p − 1 and p of the keys' order; one bound fewer than partitions. */
  | {
      readonly kind: "range";
      readonly keys: readonly RangeKey[];
      /** First words of rows in the keys' order (`rangeWords`), rising. */
      readonly bounds: readonly bigint[];
    }
  /** Runs of rows in turn: partitions become equally large. */
  | { readonly kind: "roundRobin"; readonly partitions: number }
  /** Every row to every partition. */
  | { readonly kind: "broadcast"; readonly partitions: number }
  /** Everything to one partition: to the task of the same number, or to the only one. */
  | { readonly kind: "forward" };

export interface RangeKey {
  readonly name: string;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** Of one edge. */
export const PARTITIONS_MAX = 4_096;

export function partitionCount(partitioning: Partitioning): number {
  switch (partitioning.kind) {
    case "hash":
    case "roundRobin":
    case "broadcast":
      return partitioning.partitions;
    case "range":
      return partitioning.bounds.length + 1;
    case "forward":
      return 1;
  }
}
