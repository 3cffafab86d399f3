import type { Schema } from "../arrow/mod.ts";
import { unreachable } from "../kernel/mod.ts";
import { type AggregateTerminal, aggregateCode } from "./aggregate/mod.ts";
import { bindInput } from "./column_load.ts";
import type { ContextLayout } from "./context.ts";
import { type EmitTerminal, type EmittedColumn, emitCode } from "./emit.ts";
import { compileExpression } from "./expression/mod.ts";
import { structureKey } from "./expression_key.ts";
import { type BuildTerminal, buildCode, type ProbeStep, probeCode, tableWords } from "./join/mod.ts";
import { type FailureSite, type InputColumn, Program, type ProgramResources } from "./program.ts";
import { rowLoop } from "./row_loop.ts";
import { RowScope } from "./scope.ts";
import { type ThresholdStep, thresholdCode, thresholdWord } from "./sort/mod.ts";
import {
  type FilterStep,
  filterCode,
  type ProjectStep,
  projectCode,
  type StepCode,
  type TerminalCode,
} from "./steps.ts";

export type Step = FilterStep | ProjectStep | ProbeStep | ThresholdStep;
export type Terminal = EmitTerminal | AggregateTerminal | BuildTerminal;

/** A pipeline as data: it is posted to the workers, which generate the code for the batches they see. */
export interface PipelineSpec {
  readonly inputSchema: Schema;
  readonly steps: readonly Step[];
  readonly terminal: Terminal;
}

/** A generated module: exports `run(ctx, start, end)`. */
export interface GeneratedPipeline {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly text: () => string;
  readonly context: ContextLayout;
  readonly sites: readonly FailureSite[];
  /** One for each output column when the terminal emits. */
  readonly emitted: readonly EmittedColumn[];
  readonly resources: ProgramResources;
}

/** Equal for pipelines whose code is the same. */
export function pipelineKey(spec: PipelineSpec): string {
  const steps = spec.steps.map(withoutAddresses);
  return structureKey({ ...spec, steps });
}

/** Addresses differ from run to run and are found through the context block. */
function withoutAddresses(step: Step): object {
  if (step.kind === "probe") return { ...step, addresses: null };
  return step.kind === "threshold" ? { ...step, thresholds: null } : step;
}

/** Context words that the pipeline's steps find their tables by. */
export function stepWords(spec: PipelineSpec, workerIndex: number): ReadonlyMap<string, number> {
  const words = new Map<string, number>();
  for (const step of spec.steps) {
    if (step.kind === "threshold") {
      words.set(thresholdWord(step.operator), step.thresholds.address + workerIndex * step.thresholds.bytes);
    }
    if (step.kind !== "probe") continue;
    const names = tableWords(step.operator);
    words.set(names.directory, step.addresses.directory);
    words.set(names.nullEntry, step.addresses.nullEntry);
  }
  return words;
}

export function generatePipeline(spec: PipelineSpec, columns: readonly InputColumn[]): GeneratedPipeline {
  const program = new Program();
  const emitted: EmittedColumn[] = [];
  const f = program.module.function("run", {
    params: { ctx: "i32", start: "i32", end: "i32" },
    results: [],
    export: true,
  });
  const row = f.local("i32", "row");
  const bindings = bindInput(program, f, { columns, row });
  const scope = new RowScope({ program, f, row, compile: compileExpression, operator: 0 }, bindings);
  const effective = spec.steps.filter((step) => !keepsColumns(step));
  const steps = effective.map(stepCode);
  const terminal = terminalCode(spec.terminal, emitted);
  const input = { steps: effective, columns };
  for (const step of steps) step.prologue?.(scope, input);
  terminal.prologue?.(scope);
  f.set(row, f.params.start);
  terminal.blocks?.(scope, input);
  rowLoop(scope, { steps, terminal });
  terminal.epilogue?.(scope);
  return {
    bytes: program.module.bytes(),
    text: () => program.module.text(),
    context: program.context,
    sites: program.sites,
    emitted,
    resources: program.resources(),
  };
}

/** Only leaves columns out or puts them in another order: code finds columns by name, so there is nothing to do. */
function keepsColumns(step: Step): boolean {
  if (step.kind !== "project") return false;
  return step.columns.every(({ name, expression }) => expression.kind === "column" && expression.name === name);
}

function stepCode(step: Step): StepCode {
  switch (step.kind) {
    case "filter":
      return filterCode(step);
    case "project":
      return projectCode(step);
    case "threshold":
      return thresholdCode(step);
    case "probe":
      return probeCode(step);
    default:
      return unreachable(step);
  }
}

function terminalCode(terminal: Terminal, emitted: EmittedColumn[]): TerminalCode {
  switch (terminal.kind) {
    case "emit":
      return emitCode(terminal, emitted);
    case "aggregate":
      return aggregateCode(terminal);
    case "joinBuild":
      return buildCode(terminal);
    default:
      return unreachable(terminal);
  }
}
