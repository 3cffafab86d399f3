import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { BundlerInput, BundlerOutput } from "./bundle.ts";
import { JobError, missingExportMessage, type SourceLocation, unresolvedMessage } from "./job_error.ts";

const SHIM_ID = "\0sage:sage";

/** Bundles with rolldown: for Deno and Node, which have no bundler of their own. */
export async function bundle(input: BundlerInput): Promise<BundlerOutput> {
  const { rolldown } = await import("rolldown");
  try {
    const build = await rolldown({
      input: input.path,
      cwd: dirname(input.path),
      platform: "node",
      logLevel: "warn",
      onLog: (_level, log, report) => {
        // A package that is not installed would be left to fail at run time.
        if (log.code === "UNRESOLVED_IMPORT") report("error", log);
      },
      transform: { define: { ...input.define } },
      plugins: [
        {
          name: "sage",
          resolveId: (id) => (id === "sage" ? SHIM_ID : null),
          load: (id) => (id === SHIM_ID ? input.shim : null),
        },
      ],
    });
    const { output } = await build.generate({
      format: "esm",
      sourcemap: "hidden",
      codeSplitting: false,
      dir: dirname(input.path),
      // Comments would name paths, and equal jobs must give equal bytes.
      minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
    });
    await build.close();
    const [chunk] = output;
    return { code: chunk.code, map: chunk.map?.toString() ?? emptyMap, mapDirectory: dirname(input.path) };
  } catch (error) {
    throw asJobError(error);
  }
}

const emptyMap = '{"version":3,"sources":[],"names":[],"mappings":""}';

interface RolldownError {
  readonly code?: string;
  readonly message: string;
  readonly id?: string;
  /** The specifier that was not found, or the module that lacks the export. */
  readonly exporter?: string;
  /** Line counts from 1, column from 0. */
  readonly loc?: { readonly file: string; readonly line: number; readonly column: number };
}

function asJobError(error: unknown): JobError {
  if (error instanceof JobError) return error;
  const [first] = (error as { errors?: readonly RolldownError[] }).errors ?? [];
  if (first === undefined)
    return new JobError("bundle", `The job cannot be bundled: ${String(error)}`, { cause: error });
  const location = locationOf(first);
  const headline = stripVTControlCharacters(first.message).split("\n")[0] ?? "";
  switch (first.code) {
    case "UNRESOLVED_IMPORT":
      return new JobError("import", unresolvedMessage(first.exporter ?? "?"), { location });
    case "MISSING_EXPORT": {
      const name = /^\[\w+\] "(.*?)"/.exec(headline)?.[1] ?? "?";
      return new JobError("import", missingExportMessage(name, moduleName(first.exporter)), { location });
    }
    default:
      return new JobError("syntax", headline.replace(/^\[\w+\] /, ""), { location });
  }
}

function moduleName(exporter: string | undefined): string {
  return exporter === SHIM_ID ? "sage" : (exporter ?? "the module");
}

function locationOf(error: RolldownError): SourceLocation | null {
  const { loc } = error;
  if (loc === undefined) return null;
  const lineText = readFileSync(loc.file, "utf8").split("\n")[loc.line - 1] ?? null;
  return { file: loc.file, line: loc.line, column: loc.column + 1, lineText };
}
