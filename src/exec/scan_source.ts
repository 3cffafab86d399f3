import type { Batch } from "../arrow/mod.ts";
import type { Split } from "../connectors/mod.ts";
import type { ConnectorSpec } from "../plan/mod.ts";

/** Rows that a scan gives in place of its own connector's. */
export type ScanSource =
  | {
      /** Some of another connector's splits, in their order. */
      readonly kind: "splits";
      readonly connector: ConnectorSpec;
      readonly select: (splits: readonly Split[]) => readonly Split[];
    }
  | {
      /** Rows that arrive while the plan runs. Opened when they are needed; not at all when they are not. */
      readonly kind: "rounds";
      readonly open: () => RoundReader;
    };

/** Reads what arrives. Batches have the scan's columns in its order. */
export interface RoundReader {
  /**
   * Waits for something to be there, and gives all of it up to about `rowsMax` rows; the batches are then the caller's.
   * Null after the last. Rejects when the rows cannot come any more, or it was closed.
   */
  next(rowsMax: number): Promise<readonly Batch[] | null>;
  /** Needs no more: ends a call of `next`. Idempotent. */
  close(): void;
}
