/** Bundles the job named on the command line, on whatever runtime this runs, and prints what came of it as JSON. */
import { bundleJob } from "../../src/platform/bundle.ts";
import { JobError } from "../../src/platform/job_error.ts";
import { isDataflow } from "../../src/stream/mod.ts";

async function outcome(file: string): Promise<unknown> {
  try {
    const bundle = await bundleJob(file);
    try {
      const flow = await bundle.load();
      const { hash, url } = bundle;
      if (!isDataflow(flow)) return { hash, url };
      try {
        void flow.plan;
        return { hash, url, name: flow.name };
      } catch (error) {
        return { hash, url, name: flow.name, thrown: bundle.sourceMap.locate((error as Error).stack ?? "") };
      }
    } finally {
      bundle.dispose();
    }
  } catch (error) {
    if (!(error instanceof JobError)) throw error;
    const { code, message, location } = error;
    return { error: { code, message, line: location?.line ?? null, lineText: location?.lineText ?? null } };
  }
}

console.log(JSON.stringify(await outcome(process.argv[2] ?? "")));
