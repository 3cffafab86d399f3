import { type Batch, emptyBatch } from "../../arrow/mod.ts";
import { type AggregateTerminal, outputChunkWord } from "../../codegen/mod.ts";
import { CodeInstance } from "../code_instance.ts";
import { EmitBuffers } from "../emit_buffers.ts";
import type { CompiledPipeline } from "../module_cache.ts";
import type { WorkerContext } from "../worker_context.ts";
import type { EntryChunk } from "./group_memory.ts";

/** Entries `start` … `end` of a chunk. */
export interface EntryRange extends EntryChunk {
  readonly start: number;
  readonly end: number;
}

/** Turns finished groups into batches of at most `batchRows`, each handed to `keep` as soon as it exists. */
export function writeGroups(
  worker: WorkerContext,
  terminal: AggregateTerminal,
  options: {
    /** Of `generateOutput`. */
    readonly compiled: CompiledPipeline;
    readonly ranges: readonly EntryRange[];
    readonly batchRows: number;
    /** Host functions of the memory that the groups are in. */
    readonly imports: WebAssembly.ModuleImports;
    readonly keep: (batch: Batch) => void;
  },
): void {
  const owner = terminal.operator;
  const rows = options.ranges.reduce((sum, { start, end }) => sum + end - start, 0);
  const capacityRows = Math.max(1, Math.min(options.batchRows, rows));
  const noInput = emptyBatch({ fields: [] });
  let buffers: EmitBuffers | null = null;
  const take = () => {
    const batch = buffers?.take(noInput) ?? null;
    if (batch !== null) options.keep(batch);
  };
  const code = new CodeInstance(worker, options.compiled, {
    owner,
    imports: {
      ...options.imports,
      flush: () => {
        take();
        buffers?.prepare();
      },
      reserveHeap: (index: number, bytes: number) => buffers?.reserveHeap(index, bytes >>> 0),
    },
  });
  try {
    buffers = new EmitBuffers(worker.arena, code, { schema: terminal.schema, owner, capacityRows });
    buffers.prepare();
    for (const { address, start, end } of options.ranges) {
      code.setWord(outputChunkWord, address);
      code.run(start, end);
    }
    take();
  } finally {
    buffers?.dispose();
    code.dispose();
  }
}
