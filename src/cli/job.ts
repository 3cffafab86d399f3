import type { LogicalPlan } from "../plan/mod.ts";
import { type BundledJob, bundleJob, guardExit, JobError, startWatchdog } from "../platform/mod.ts";
import { isDataflow, paramsFromTexts } from "../stream/mod.ts";
import type { ParamText } from "./param_option.ts";

/** A job file that was bundled and loaded, and whose builder has run. */
export interface OpenJob {
  readonly bundle: BundledJob;
  readonly plan: LogicalPlan;
  /** Values of all its parameters, as JSON. */
  readonly params: string;
}

export interface OpenJobOptions {
  /** With a time limit a job that loops for ever while it is loaded ends the process. */
  readonly timeoutMs?: number | null;
  readonly params?: readonly ParamText[];
}

/** @throws {JobError} when the file is no job, {PlanError} for its parameters; the bundle is then gone */
export async function openJob(file: string, options: OpenJobOptions = {}): Promise<OpenJob> {
  const { timeoutMs = null, params = [] } = options;
  const bundle = await bundleJob(file);
  const stopGuarding = guardExit(`error: ${file} ended the process while it was loaded, and gave no dataflow.\n`);
  const stopWatching = timeoutMs === null ? null : await watch(bundle, timeoutMs);
  try {
    const flow = await bundle.load();
    if (isDataflow(flow)) {
      const told = flow.with(paramsFromTexts(flow.params, params));
      const values = JSON.stringify(told.values);
      return { bundle, plan: bundle.guard(() => told.plan), params: values };
    }
    throw new JobError(
      "notADataflow",
      `The default export of ${file} is ${whatItIs(flow)}, not a dataflow. A job ends with: export default dataflow("name", () => …)`,
    );
  } catch (error) {
    bundle.dispose();
    throw error;
  } finally {
    stopWatching?.();
    stopGuarding();
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
