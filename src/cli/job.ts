import type { LogicalPlan } from "../plan/mod.ts";
import { type BundledJob, bundleJob, JobError } from "../platform/mod.ts";
import { isDataflow } from "../stream/mod.ts";

/** A job file that was bundled and loaded, and whose builder has run. */
export interface OpenJob {
  readonly bundle: BundledJob;
  readonly plan: LogicalPlan;
}

/** @throws {JobError} when the file is no job; the bundle is then gone */
export async function openJob(file: string): Promise<OpenJob> {
  const bundle = await bundleJob(file);
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
  }
}

function whatItIs(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object") return `an object of class ${value.constructor?.name ?? "Object"}`;
  if (typeof value === "function") return "a function";
  return `the ${typeof value} ${JSON.stringify(value) ?? String(value)}`;
}
