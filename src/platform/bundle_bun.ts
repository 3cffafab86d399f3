import { dirname } from "node:path";
import type { BundlerInput, BundlerOutput } from "./bundle.ts";
import { JobError, missingExportMessage, type SourceLocation, unresolvedMessage } from "./job_error.ts";

/** Bundles with `Bun.build`, which also works inside the executable. White space goes: comments would name paths. */
export async function bundle(input: BundlerInput): Promise<BundlerOutput> {
  const directory = dirname(input.path);
  const result = await Bun.build({
    entrypoints: [input.path],
    root: directory,
    target: "bun",
    format: "esm",
    sourcemap: "external",
    minify: { whitespace: true, syntax: false, identifiers: false },
    define: { ...input.define },
    throw: false,
    plugins: [sagePlugin(input.shim)],
  });
  const failure = result.logs.find((log) => log.level === "error");
  if (!result.success || failure) throw asJobError(failure);
  const asset = result.outputs.find((output) => output.kind === "asset");
  if (asset)
    throw new JobError("bundle", `A job cannot import ${asset.path}: only code, JSON and text become part of it.`);
  const code = result.outputs.find((output) => output.kind === "entry-point");
  const map = result.outputs.find((output) => output.kind === "sourcemap");
  if (!code || !map) throw new JobError("bundle", "The bundler gave no module and said no reason.");
  // Its sources count from where the process runs, whatever the root is.
  return { code: withoutDebugId(await code.text()), map: await map.text(), mapDirectory: process.cwd() };
}

function sagePlugin(shim: string): Bun.BunPlugin {
  return {
    name: "sage",
    setup(build) {
      build.onResolve({ filter: /^sage$/ }, () => ({ path: "sage", namespace: "sage" }));
      build.onLoad({ filter: /.*/, namespace: "sage" }, () => ({ contents: shim, loader: "js" }));
    },
  };
}

function withoutDebugId(code: string): string {
  return code.replace(/\n\/\/# debugId=\w+\s*$/, "\n");
}

function asJobError(log: BuildMessage | ResolveMessage | undefined): JobError {
  if (log === undefined) return new JobError("bundle", "The job cannot be bundled, and the bundler said no reason.");
  const position = log.position;
  // The bundler writes -1 where it knows the file alone.
  const isKnown = position !== null && position.line > 0;
  const location: SourceLocation | null = isKnown
    ? { file: position.file, line: position.line, column: position.column, lineText: position.lineText }
    : null;
  if (log.name === "ResolveMessage") {
    const { specifier } = log as ResolveMessage;
    return new JobError("import", unresolvedMessage(specifier), { location });
  }
  const missing = /^No matching export in "(.*)" for import "(.*)"$/.exec(log.message);
  if (missing) {
    const module = missing[1] === "sage:sage" ? "sage" : (missing[1] ?? "");
    return new JobError("import", missingExportMessage(missing[2] ?? "", module), { location });
  }
  const where = position !== null && !isKnown ? ` (${position.file})` : "";
  return new JobError("syntax", `${log.message}${where}`, { location });
}
