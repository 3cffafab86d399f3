/**
 * Writes the types of "sage" as one file, `src/platform/assets/sage.d.ts.txt`, which `sage init` gives to users and the
 * executable carries. `npm run build` runs it; a test says when the file is out of date.
 *
 * Declarations come from tsc, one a module; rolldown then puts those that `mod.ts` reaches into one.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { dts } from "rolldown-plugin-dts";

const root = fileURLToPath(new URL("../", import.meta.url));
export const typesPath = join(root, "src/platform/assets/sage.d.ts.txt");

const HEADER = '// Types of "sage". Written by `sage init`; do not edit, run `sage init --force` after an update.\n';

/** The types of what `import … from "sage"` gives, as the text of one declaration file. */
export async function publicTypes(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "sage-types-"));
  try {
    emitDeclarations(directory);
    return HEADER + (await flatten(join(directory, "out/mod.d.ts")));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function emitDeclarations(directory: string): void {
  const config = {
    extends: join(root, "tsconfig.json"),
    compilerOptions: {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      stripInternal: true,
      noCheck: true,
      outDir: join(directory, "out"),
      rootDir: root,
      typeRoots: [join(root, "node_modules/@types")],
    },
    include: [],
    files: [join(root, "mod.ts")],
  };
  const configPath = join(directory, "tsconfig.json");
  writeFileSync(configPath, JSON.stringify(config));
  execFileSync(join(root, "node_modules/.bin/tsc"), ["-p", configPath], { stdio: "inherit" });
}

async function flatten(entry: string): Promise<string> {
  const build = await rolldown({ input: entry, plugins: [dts({ dtsInput: true, tsconfig: false })] });
  const { output } = await build.generate({ format: "esm" });
  const file = output.find((one) => one.type === "chunk" && one.isEntry);
  if (file?.type !== "chunk") throw new Error("The bundler gave no declarations.");
  return file.code;
}

if (import.meta.main) {
  const text = await publicTypes();
  writeFileSync(typesPath, text);
  console.log(`${typesPath}: ${text.length} characters`);
}
