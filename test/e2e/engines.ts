import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { releaseBatch, rowsOf } from "../../src/arrow/mod.ts";
import type { LogicalPlan } from "../../src/plan/mod.ts";
import { type BundledJob, bundleJob, type Engine, type RootResult } from "../../src/platform/mod.ts";
import { type Dataflow, isDataflow } from "../../src/stream/mod.ts";

/** The real engine, as `sage run` wires it: worker threads over one arena, user functions from a bundle. */

export function jobPath(name: string): string {
  return fileURLToPath(new URL(`jobs/${name}`, import.meta.url));
}

/** A job file, bundled and built; the bundle is gone after the test. */
export async function openJobFile(path: string): Promise<{ bundle: BundledJob; plan: LogicalPlan }> {
  const bundle = await bundleJob(path);
  onTestFinished(() => bundle.dispose());
  const flow = await bundle.load();
  if (!isDataflow(flow)) throw new Error(`${path} is no dataflow`);
  return { bundle, plan: flow.plan };
}

/** All rows of a root as text, in order: equal rows have equal text. */
export async function rowTexts(engine: Engine, root: RootResult): Promise<string[]> {
  const { arena } = engine;
  const texts: string[] = [];
  for await (const batch of root.batches) {
    try {
      for (const row of rowsOf(arena, batch)) texts.push(rowText(row));
    } finally {
      releaseBatch(arena, batch);
    }
  }
  return texts;
}

export function rowText(row: unknown): string {
  return JSON.stringify(row, (_, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "number" && !Number.isFinite(value)) return String(value);
    return value instanceof Uint8Array ? [...value] : value;
  });
}

/** Runs a plan to its end; rows of each root, none for a sink. */
export async function runAll(engine: Engine, plan: LogicalPlan): Promise<string[][]> {
  await using run = await engine.run(plan);
  const all: string[][] = [];
  for (const root of run.roots) all.push(await rowTexts(engine, root));
  return all;
}

export async function runFlow(engine: Engine, flow: Dataflow): Promise<string[]> {
  return (await runAll(engine, flow.plan))[0] ?? [];
}
