import type { Batch, Schema } from "../arrow/mod.ts";
import type { Step, Terminal } from "../codegen/mod.ts";
import type { OperatorId } from "../plan/mod.ts";
import type { SourceSpec, StageSpec } from "./messages.ts";

/** Rows that arrive while the pipeline runs, in lists of batches: each is a request of its own. */
export interface RoundsSource {
  readonly kind: "rounds";
  /** The next list, which is then the caller's; null after the last. */
  next(): Promise<readonly Batch[] | null>;
}

/** A pipeline's input when it is about to run; `release` gives back what it holds. */
export interface OpenSource {
  readonly spec: SourceSpec | RoundsSource;
  release(): void;
}

/**
 * A pipeline while the plan is walked from source to breaker: operators that only look at one row at a time are added
 * to it, the next breaker ends it with a terminal. Several in a list run one after the other (union).
 */
export interface OpenPipeline {
  /** What the source is, for explain. */
  readonly sourceText: string;
  readonly source: () => Promise<OpenSource>;
  /** Stages that are complete. */
  readonly stages: readonly StageSpec[];
  /** Steps of the code stage that is still open, and the schema that goes into it. */
  readonly steps: readonly Step[];
  readonly stepsInput: Schema;
  /** What comes out at this point. */
  readonly schema: Schema;
  readonly operator: OperatorId;
}

export function openAt(
  source: OpenPipeline["source"],
  schema: Schema,
  of: { readonly operator: OperatorId; readonly text: string },
): OpenPipeline {
  const { operator, text: sourceText } = of;
  return { sourceText, source, stages: [], steps: [], stepsInput: schema, schema, operator };
}

export function withStep(pipeline: OpenPipeline, step: Step, schema: Schema): OpenPipeline {
  return { ...pipeline, steps: [...pipeline.steps, step], schema, operator: step.operator };
}

export function withStage(pipeline: OpenPipeline, stage: StageSpec, schema: Schema): OpenPipeline {
  const { stages } = closed(pipeline);
  return { ...pipeline, stages: [...stages, stage], steps: [], stepsInput: schema, schema, operator: stage.operator };
}

/** Ends the open steps by writing rows into batches. */
export function closed(pipeline: OpenPipeline): OpenPipeline {
  if (pipeline.steps.length === 0) return pipeline;
  const { operator, schema } = pipeline;
  return { ...ended(pipeline, { terminal: { kind: "emit", operator, schema }, state: null }), stepsInput: schema };
}

/** Ends the open steps with a terminal that works on the state called `state`. */
export function ended(
  pipeline: OpenPipeline,
  end: { readonly terminal: Terminal; readonly state: string | null },
): OpenPipeline {
  const spec = { inputSchema: pipeline.stepsInput, steps: pipeline.steps, terminal: end.terminal };
  const stage: StageSpec = { kind: "code", operator: end.terminal.operator, pipeline: spec, state: end.state };
  return { ...pipeline, stages: [...pipeline.stages, stage], steps: [] };
}

/** Batches that are there already, as a source that consumes them. */
export interface BatchList {
  readonly batches: readonly Batch[];
  release(): void;
}
