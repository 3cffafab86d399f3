/** What workers do between build and probe, and after the probe. */
import type { Batch } from "../../arrow/mod.ts";
import {
  type BuildTerminal,
  generateRest,
  type RestSpec,
  restChunkWord,
  restInput,
  structureKey,
} from "../../codegen/mod.ts";
import { CodeInstance } from "../code_instance.ts";
import { EmitBuffers } from "../emit_buffers.ts";
import { compiledOnce } from "../module_cache.ts";
import type { WorkerContext } from "../worker_context.ts";
import { BuildState, type BuiltPart, type LinkTarget } from "./build_state.ts";
import type { EntryChunk } from "./entry_memory.ts";
import { RestState } from "./rest_state.ts";

export interface LinkArgument {
  readonly terminal: BuildTerminal;
  readonly state: string;
  readonly target: LinkTarget;
  /** By task. */
  readonly tasks: readonly (readonly EntryChunk[])[];
}

export interface RestArgument {
  readonly spec: RestSpec;
  readonly state: string;
  /** By task. */
  readonly tasks: readonly (readonly EntryChunk[])[];
  readonly batchRows: number;
}

/** Called on every worker when the build side has ended; null where it saw no rows. */
export function closeBuild(worker: WorkerContext, argument: unknown): BuiltPart | null {
  const state = worker.states.get(argument as string);
  return state instanceof BuildState ? state.part() : null;
}

export function linkEntries(worker: WorkerContext, argument: unknown, task: number): void {
  const { terminal, state, target, tasks } = argument as LinkArgument;
  let known = worker.states.get(state);
  if (known === undefined) {
    known = new BuildState(worker, terminal);
    worker.states.set(state, known);
  }
  if (known instanceof BuildState) known.link(target, tasks[task] ?? []);
}

/** The rows of a task's chunks as batches, which the worker keeps until its state is dropped. */
export function restOfBuild(worker: WorkerContext, argument: unknown, task: number): Batch[] {
  const { spec, state, tasks, batchRows } = argument as RestArgument;
  let keeper = worker.states.get(state);
  if (!(keeper instanceof RestState)) {
    keeper = new RestState(worker.arena);
    worker.states.set(state, keeper);
  }
  return writeRest(worker, { spec, chunks: tasks[task] ?? [], batchRows, keeper: keeper as RestState });
}

function writeRest(
  worker: WorkerContext,
  from: {
    readonly spec: RestSpec;
    readonly chunks: readonly EntryChunk[];
    readonly batchRows: number;
    readonly keeper: RestState;
  },
): Batch[] {
  const { spec, chunks } = from;
  const compiled = compiledOnce(`join rest ${structureKey(spec)}`, () => generateRest(spec));
  const owner = spec.shape.operator;
  const input = restInput(spec);
  const batches: Batch[] = [];
  let buffers: EmitBuffers | null = null;
  const take = () => {
    const batch = buffers?.take(input) ?? null;
    if (batch === null) return;
    from.keeper.keep(batch);
    batches.push(batch);
  };
  const flush = () => {
    take();
    buffers?.prepare();
  };
  const reserveHeap = (index: number, bytes: number) => buffers?.reserveHeap(index, bytes >>> 0);
  const code = new CodeInstance(worker, compiled, { owner, imports: { flush, reserveHeap } });
  try {
    const rows = chunks.reduce((sum, { entryCount }) => sum + entryCount, 0);
    const capacityRows = Math.max(1, Math.min(from.batchRows, rows));
    buffers = new EmitBuffers(worker.arena, code, { schema: spec.schema, owner, capacityRows });
    buffers.prepare();
    for (const { address, entryCount } of chunks) {
      code.setWord(restChunkWord, address);
      code.run(0, entryCount);
    }
    take();
    return batches;
  } finally {
    buffers?.dispose();
    code.dispose();
  }
}
