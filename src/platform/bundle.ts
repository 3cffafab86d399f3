import { createHash } from "node:crypto";
import { rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { SageError } from "../kernel/mod.ts";
import { bundleModule } from "./bundle_module.ts";
import { makeJobDirectory } from "./job_directory.ts";
import { JobError } from "./job_error.ts";
import { installLibrary, libraryShim } from "./library.ts";
import { SourceMap } from "./source_map.ts";

/** What a bundler of either runtime gives: one ES module and its source map. */
export interface BundlerOutput {
  readonly code: string;
  readonly map: string;
  /** What the sources in the map are relative to. */
  readonly mapDirectory: string;
}

export interface BundlerInput {
  /** Absolute path of the job. */
  readonly path: string;
  /** Text of the module that stands for "sage". */
  readonly shim: string;
  /** What `import.meta` of the job means, since the bundle lies elsewhere. */
  readonly define: Readonly<Record<string, string>>;
}

/** A job and all it imports as one module in a temporary file, which lives until `dispose` or the process's end. */
export interface BundledJob {
  /** `file:` URL that the main thread and every worker import. */
  readonly url: string;
  /** SHA-256 of the module's text: equal sources give equal hashes. */
  readonly hash: string;
  /** Absolute path of the job. */
  readonly path: string;
  /** Temporary, holds the bundle alone. */
  readonly directory: string;
  readonly sourceMap: SourceMap;
  /** The bundle with its source map, to be sent to a cluster. @throws {JobError} when it is too large */
  module(): Uint8Array;
  /** Imports the bundle in this thread. @throws {JobError} when the job throws or exports nothing as default. */
  load(): Promise<unknown>;
  /** Calls code of the job. @throws {JobError} with the user's line for whatever the code threw */
  guard<T>(call: () => T): T;
  dispose(): void;
}

/**
 * Bundles a job. `"sage"` stays outside: it is the library of this process.
 * @throws {JobError} with the place in the user's file where there is one
 */
export async function bundleJob(file: string): Promise<BundledJob> {
  const path = resolve(file);
  mustBeFile(file, path);
  const shim = libraryShim(await installLibrary());
  const input: BundlerInput = { path, shim, define: metaDefines(path) };
  const bundler = "Bun" in globalThis ? await import("./bundle_bun.ts") : await import("./bundle_rolldown.ts");
  const output = await bundler.bundle(input);
  return place(path, output);
}

function mustBeFile(file: string, path: string): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new JobError("missing", `Cannot find the job file ${file}.`);
  if (!stat.isFile()) throw new JobError("missing", `${file} is not a file. Name the file that exports the dataflow.`);
}

function metaDefines(path: string): Record<string, string> {
  const directory = JSON.stringify(resolve(path, ".."));
  return {
    "import.meta.url": JSON.stringify(pathToFileURL(path).href),
    "import.meta.filename": JSON.stringify(path),
    "import.meta.path": JSON.stringify(path),
    "import.meta.dirname": directory,
    "import.meta.dir": directory,
  };
}

function place(path: string, output: BundlerOutput): BundledJob {
  const hash = createHash("sha256").update(output.code).digest("hex");
  const directory = makeJobDirectory();
  const remove = () => rmSync(directory, { recursive: true, force: true });
  process.once("exit", remove);
  const file = join(directory, `${hash.slice(0, 16)}.mjs`);
  writeFileSync(file, output.code);
  const url = pathToFileURL(file).href;
  const sourceMap = new SourceMap(url, output.map, output.mapDirectory);
  const dispose = () => {
    process.off("exit", remove);
    remove();
  };
  const guard = <T>(call: () => T): T => {
    try {
      return call();
    } catch (error) {
      throw threwWhileLoading(error, sourceMap);
    }
  };
  const module = () => bundleModule(output.code, output.map, output.mapDirectory);
  return { url, hash, path, directory, sourceMap, module, load: () => load(path, url, sourceMap), guard, dispose };
}

async function load(path: string, url: string, sourceMap: SourceMap): Promise<unknown> {
  let module: { readonly default?: unknown };
  try {
    module = (await import(url)) as { readonly default?: unknown };
  } catch (error) {
    throw threwWhileLoading(error, sourceMap);
  }
  if (!("default" in module)) {
    throw new JobError(
      "notADataflow",
      `${path} has no default export. A job ends with: export default dataflow("name", () => …)`,
    );
  }
  return module.default;
}

/** What the user's own code threw, with the line that threw it. */
function threwWhileLoading(error: unknown, sourceMap: SourceMap): JobError {
  if (error instanceof JobError) return error;
  const location = error instanceof Error ? sourceMap.locateError(error) : null;
  if (error instanceof SageError) return new JobError("threw", error.message, { cause: error, location });
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new JobError("threw", `The job threw while it was built: ${message}`, { cause: error, location });
}
