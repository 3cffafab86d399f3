import type { Address, Batch, Schema } from "../arrow/mod.ts";
import type { PipelineSpec, ThresholdBlocks } from "../codegen/mod.ts";
import type { SourceRequest, Split } from "../connectors/mod.ts";
import type { ConnectorSpec, OperatorId } from "../plan/mod.ts";

/**
 * What the driver asks of every worker and what comes back: plain data, so that it crosses threads as it is. Work is
 * cut into tasks, numbered from 0; workers take the next number from a counter in the control block until none is left,
 * so an idle worker always takes what a busy one has not begun.
 */

/** Words of a control block, one block a request, in the arena. */
export const Control = {
  /** Next task to take. */
  nextTask: 0,
  /** Not 0: stop. */
  cancelled: 4,
  /** Tasks whose output the driver has consumed. */
  consumedTasks: 8,
  /** Batches that the driver has taken of the first task that is not consumed. */
  takenBatches: 12,
  /** Rows read from sources so far (for progress), int64. */
  rowsRead: 16,
  /** Grows with each change that a worker may wait for. */
  changes: 24,
  bytes: 64,
} as const;

export interface BatchesSource {
  readonly kind: "batches";
  readonly batches: readonly Batch[];
  /** Rows a task: tasks are ranges of rows within one batch. */
  readonly taskRows: number;
}

export interface SplitsSource {
  readonly kind: "splits";
  readonly operator: OperatorId;
  readonly connector: ConnectorSpec;
  readonly request: SourceRequest;
  readonly splits: readonly Split[];
}

export type SourceSpec = BatchesSource | SplitsSource;

export interface CodeStage {
  readonly kind: "code";
  readonly operator: OperatorId;
  readonly pipeline: PipelineSpec;
  /** Name of the state that the terminal works on, shared by pipelines of one operator; null when it emits. */
  readonly state: string | null;
  /** Rows of the batches that it makes, where they should be shorter than others. */
  readonly capacityRows?: number;
}

export interface UserStage {
  readonly kind: "user";
  readonly operator: OperatorId;
  readonly mode: "map" | "flatMap" | "filter" | "mapBatches";
  readonly inputSchema: Schema;
  readonly schema: Schema;
}

export interface UnnestStage {
  readonly kind: "unnest";
  readonly operator: OperatorId;
  readonly inputSchema: Schema;
  readonly schema: Schema;
  readonly column: string;
  readonly outer: boolean;
}

export interface TopKKey {
  readonly column: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
  readonly nullable: true;
}

/** Keeps each worker's first rows by some keys; none go on. */
export interface TopKStage {
  readonly kind: "topK";
  readonly operator: OperatorId;
  readonly inputSchema: Schema;
  /** Columns of the input; any may be null, as thresholds are compared so. */
  readonly keys: readonly TopKKey[];
  /** Rows to keep. */
  readonly limit: number;
  /** Name of the state with the rows, shared by pipelines of one operator. */
  readonly state: string;
  /** A block for each worker that generated code reads the worst kept row's keys from. */
  readonly thresholds: ThresholdBlocks;
}

export type StageSpec = CodeStage | UserStage | UnnestStage | TopKStage;

export interface PipelineRequest {
  readonly kind: "pipeline";
  readonly source: SourceSpec;
  readonly stages: readonly StageSpec[];
  readonly control: Address;
  readonly batchRows: number;
  readonly morselRows: number;
  /** Position of this pipeline among those of one operator: rows of earlier ones come first. */
  readonly ordinal: number;
  /** Rows of this pipeline's source that earlier requests had; of batches only. */
  readonly rowsBefore: number;
  /** A worker may start a task only when it is less than so many past the consumed ones; 0 for no window. */
  readonly windowTasks: number;
  /** Called on every worker when no task is left; the worker's result. */
  readonly close: EachCall | null;
}

/** A call of a named function. */
export interface EachCall {
  readonly name: string;
  readonly argument: unknown;
}

/** `taskCount` calls of a named function, spread over the workers. */
export interface PhaseRequest {
  readonly kind: "phase";
  readonly name: string;
  readonly argument: unknown;
  readonly taskCount: number;
  readonly control: Address;
}

/** One call of a named function on every worker. */
export interface EachRequest extends EachCall {
  readonly kind: "each";
}

export type WorkerRequest = PipelineRequest | PhaseRequest | EachRequest;

/** Output of a pipeline's task, in order within the task; `batch` null says that the task is complete. */
export interface TaskOutput {
  readonly task: number;
  readonly batch: Batch | null;
}

export interface PhaseResult {
  readonly task: number;
  readonly value: unknown;
}
