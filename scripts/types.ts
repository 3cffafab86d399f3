/**
 * Writes the types of "sage" and "sage/client" as one file, `src/platform/assets/sage.d.ts.txt`, which `sage init` gives to
 * users and the executable carries. `npm run build` runs it; a test says when the file is out of date.
 *
 * Declarations come from tsc, one a module; rolldown then puts those that `mod.ts` and `client.ts` reach into one. They are
 * declared as modules by name, so that one file has what both share.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { dts } from "rolldown-plugin-dts";

const root = fileURLToPath(new URL("../", import.meta.url));
export const typesPath = join(root, "src/platform/assets/sage.d.ts.txt");

const HEADER =
  '// Types of "sage" and "sage/client". Written by `sage init`; do not edit, run `sage init --force` after an update.\n';
const MODULES = { sage: "mod", "sage/client": "client" } as const;
/** Has what both export, so that a dataflow of the one is a dataflow of the other. */
const ALL = "sage/types";

/** The types of what `import … from "sage"` and from "sage/client" gives, as the text of one declaration file. */
export async function publicTypes(): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "sage-types-"));
  try {
    emitDeclarations(directory);
    const out = join(directory, "out");
    const entries = Object.values(MODULES).map((name) => `export * from "./${name}.js";\n`);
    writeFileSync(join(out, "all.d.ts"), entries.join(""));
    const all = await flatten(join(out, "all.d.ts"));
    const modules = [moduleText(ALL, all.code)];
    for (const [name, entry] of Object.entries(MODULES)) {
      const { exports } = await flatten(join(out, `${entry}.d.ts`));
      modules.push(moduleText(name, `export { ${exports.toSorted().join(", ")} } from "${ALL}";\n`));
    }
    return HEADER + modules.join("");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Messages of the protocol, of which declarations cannot be written, and none is needed: nothing from outside reaches them. */
const UNWRITABLE = /^(\S+)\.ts\(\d+,\d+\): error TS4023: /;

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
    files: Object.values(MODULES).map((name) => join(root, `${name}.ts`)),
  };
  const configPath = join(directory, "tsconfig.json");
  writeFileSync(configPath, JSON.stringify(config));
  const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", configPath], {
    cwd: root,
    encoding: "utf8",
  });
  for (const line of stdout.split("\n")) {
    const at = UNWRITABLE.exec(line);
    if (at !== null) writeFileSync(join(directory, "out", `${at[1]}.d.ts`), "export {};\n");
    else if (line.includes(" error ")) throw new Error(stdout);
  }
}

async function flatten(entry: string): Promise<{ readonly code: string; readonly exports: readonly string[] }> {
  const build = await rolldown({
    input: entry,
    shimMissingExports: true,
    logLevel: "silent",
    plugins: [dts({ dtsInput: true, tsconfig: false })],
  });
  const { output } = await build.generate({ format: "esm" });
  const file = output.find((one) => one.type === "chunk" && one.isEntry);
  if (file?.type !== "chunk") throw new Error("The bundler gave no declarations.");
  return file;
}

/** All inside is ambient already. */
function moduleText(name: string, code: string): string {
  return `declare module "${name}" {\n${code.trimEnd().replaceAll(/^(export )?declare /gm, "$1")}\n}\n`;
}

if (import.meta.main) {
  const text = await publicTypes();
  writeFileSync(typesPath, text);
  console.log(`${typesPath}: ${text.length} characters`);
}
