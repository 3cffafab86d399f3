import type { LogicalPlan } from "../plan/mod.ts";
import { type BundledJob, bundleJob, JobError, startWatchdog } from "../platform/mod.ts";
import { isDataflow } from "../stream/mod.ts";

/** A job file that was bundled and loaded, and whose builder has run. */
export interface OpenJob {
  readonly bundle: BundledJob;
  readonly plan: LogicalPlan;
}

/**
 * With a time limit a job that loops for ever while it is loaded ends the process.
 * @throws {JobError} when the file is no job; the bundle is then gone
 */
export async function openJob(file: string, timeoutMs: number | null = null): Promise<OpenJob> {
  const bundle = await bundleJob(file);
  const stopWatching = timeoutMs === null ? null : await watch(bundle, timeoutMs);
  try {
    const flow = await bundle.load();
    if (isDataflow(flow)) return { bundle, plan: bundle.guard(() => flow.plan) };
    throw new JobError(
      "notADataflow",
      `The default export of ${file} is ${whatItIs(flow)}, not a dataflow. A job ends with: export default dataflow("name", () => …)`,
    );
  } catch (error) {
    bundle.dispose();
    throw error;
  } finally {
    stopWatching?.();
  }
}

function watch(bundle: BundledJob, timeoutMs: number): Promise<() => void> {
  const message = `error: The job was still being loaded after ${timeoutMs} ms. Allow more with --timeout\n`;
  return startWatchdog({ afterMs: timeoutMs, message, directory: bundle.directory });
}

function whatItIs(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return `an object of class ${value.constructor?.name ?? "Object"}`;
  if (typeof value === "function") return "a function";
  return `a ${typeof value}`;
}
