/**
 * `npm run build`: the executable `dist/sage`, for this machine or for the one named:
 *
 *     bun scripts/build.ts [--target bun-linux-arm64] [--outfile dist/sage]
 *
 * The worker is a second entry point, since threads start from a file of their own. Files that are not code (the
 * types of "sage") are embedded by `src/platform/assets_embedded.ts`. Byte code halves the start-up time.
 */
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { publicTypes, typesPath } from "./types.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

const { values } = parseArgs({
  options: { target: { type: "string" }, outfile: { type: "string", default: join(root, "dist/sage") } },
});

writeFileSync(typesPath, await publicTypes());
mkdirSync(dirname(values.outfile), { recursive: true });

const result = await Bun.build({
  entrypoints: [join(root, "cli.ts"), join(root, "src/platform/worker.ts")],
  root,
  target: "bun",
  format: "esm",
  minify: { whitespace: true, syntax: true, identifiers: false },
  bytecode: true,
  define: { SAGE_COMPILED: "true" },
  external: ["rolldown"],
  compile: {
    outfile: values.outfile,
    ...(values.target === undefined ? {} : { target: values.target as Bun.Build.CompileTarget }),
    // The executable behaves the same wherever it is started.
    autoloadDotenv: false,
    autoloadBunfig: false,
  },
  throw: false,
});
for (const log of result.logs) console.error(log);
if (!result.success) process.exit(1);
console.log(`${values.outfile}: ${Math.round(statSync(values.outfile).size / 1e6)} MB`);
