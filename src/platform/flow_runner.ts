import { releaseBatch, rowsOf } from "../arrow/mod.ts";
import type { Dataflow, FlowRunner, RunOptions, RunSummary } from "../stream/mod.ts";

/** Runs streams for programs that call `collect()`. The engine is loaded when it is first needed. */
export const flowRunner: FlowRunner = { rows, run, explain };

async function open(options: RunOptions) {
  const { Engine } = await import("./engine.ts");
  const { workers, memoryBytes } = options;
  return new Engine({
    ...(workers === undefined ? {} : { workers }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
  });
}

async function* rows(flow: Dataflow, options: RunOptions): AsyncGenerator<Record<string, unknown>> {
  await using engine = await open(options);
  await using job = await engine.run(flow.plan, options);
  // A job that is stopped by force leaves the engine with a new arena: its batches stay in this one.
  const { arena } = engine;
  const root = job.roots[0];
  if (root === undefined) return;
  for await (const batch of root.batches) {
    try {
      yield* rowsOf(arena, batch);
    } finally {
      releaseBatch(arena, batch);
    }
  }
}

async function run(flow: Dataflow, options: RunOptions): Promise<RunSummary> {
  await using engine = await open(options);
  await using job = await engine.run(flow.plan, options);
  const { arena } = engine;
  for (const root of job.roots) for await (const batch of root.batches) releaseBatch(arena, batch);
  const { rowsRead, elapsedMs, outputs } = job.stats();
  return { rowsRead, elapsedMs, rowsWritten: outputs.reduce((sum, output) => sum + output.rows, 0) };
}

async function explain(flow: Dataflow, options: { readonly wasm?: boolean }): Promise<string> {
  await using engine = await open({});
  return await engine.explain(flow.plan, options);
}
