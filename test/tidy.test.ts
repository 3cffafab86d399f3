import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { completeLock, type Lock, missingOptional, platformOf } from "../scripts/complete_lock.ts";
import { LAYERS } from "../scripts/layers.ts";
import {
  checkFileSizes,
  checkFolders,
  checkLinks,
  checkRatchet,
  checkWords,
  docExamples,
  type Example,
  type Ratchet,
} from "../scripts/tidy.ts";

const root = Bun.fileURLToPath(new URL("../", import.meta.url));
const trees: string[] = [];

afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true, force: true });
});

/** A scratch project of these files. */
function house(files: Record<string, string>): string {
  const tree = mkdtempSync(join(tmpdir(), "sage-tidy-"));
  trees.push(tree);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  return tree;
}

const builtFolders = LAYERS.filter(({ isPlanned }) => !isPlanned).map(({ folder }) => folder);
const tidySource = Object.fromEntries(
  builtFolders.flatMap((folder) => [
    [`src/${folder}/README.md`, "# It\n"],
    [`src/${folder}/mod.ts`, "export {};\n"],
  ]),
);

test("the folders of src are those of the layer table, each with mod.ts and a short README", () => {
  expect(checkFolders(root)).toEqual([]);
});

test("a folder that is missing, unknown, still planned or without a short README is noticed", () => {
  expect(checkFolders(house(tidySource))).toEqual([]);
  const { "src/exec/README.md": _, ...rest } = tidySource;
  const files = { ...rest, "src/attic/x.ts": "", "src/kernel/README.md": "line\n".repeat(31) };
  const problems = checkFolders(house({ ...files, "src/api/mod.ts": "", "src/api/README.md": "" })).sort();
  expect(problems).toEqual([
    "src/api/ is on disk but still planned in the layer table",
    "src/attic/ has no README.md",
    "src/attic/ has no mod.ts",
    "src/attic/ is not in scripts/layers.ts",
    "src/exec/ has no README.md",
    "src/kernel/README.md has more than 30 lines",
  ]);
});

test("files keep to their size, and those that do not only shrink", () => {
  const ratchet = JSON.parse(readFileSync(join(root, "scripts/size_ratchet.json"), "utf8")) as Ratchet;
  expect(checkFileSizes(root, ratchet.fileLines)).toEqual([]);
});

test("a file that is too long, has grown or has shrunk below its exception is noticed", () => {
  expect(checkFileSizes(house({ "src/kernel/long.ts": "x;\n".repeat(501) }), {})).toHaveLength(1);
  const sizes = new Map([
    ["grown", 611],
    ["same", 600],
    ["shrunk", 590],
    ["short", 90],
  ]);
  const problems = checkRatchet(sizes, { grown: 610, same: 600, shrunk: 600, short: 510, gone: 700 }, 500);
  expect(problems.map((text) => text.split(":")[0])).toEqual(["grown", "shrunk", "short", "gone"]);
});

test("there is no unfinished-work marker, no path of one machine and no registry host", () => {
  expect(checkWords(root)).toEqual([]);
});

test("a marker, a machine's path and a registry host are noticed", () => {
  const marker = ["TO", "DO"].join("");
  const tree = house({
    "src/kernel/a.ts": `// ${marker}: later\nexport const path = "/tmp/x";\nnew Date();\nnew Date(1);\n`,
    "package-lock.json": `"https://registry.${"npmjs"}.org/x"\n`,
    "docs/a.md": `${["FIX", "ME"].join("")}\n`,
  });
  expect(checkWords(tree).map((text) => text.split(": ")[0])).toEqual([
    "package-lock.json:1",
    "docs/a.md:1",
    "src/kernel/a.ts:1",
    "src/kernel/a.ts:2",
    "src/kernel/a.ts:3",
  ]);
});

test("every relative link in the documents leads somewhere", () => {
  expect(checkLinks(root)).toEqual([]);
});

test("a link to a missing page or heading is noticed", () => {
  const tree = house({
    "README.md":
      "[a](docs/a.md) [b](docs/b.md) [c](docs/a.md#two-words) [d](docs/a.md#three) [e](https://example.com)\n",
    "docs/a.md": "# Two words\n[up](../README.md) [away](../gone.md)\n",
  });
  expect(checkLinks(tree)).toHaveLength(3);
});

test("the lock file has every platform's packages, so that npm ci accepts it everywhere", () => {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as Lock;
  expect(missingOptional(lock)).toEqual([]);
});

test("a platform package that the lock file lacks is noticed and can be added", () => {
  const lock: Lock = {
    packages: {
      "node_modules/a": { version: "1.0.0", dev: true, optionalDependencies: { "@a/linux-arm64-musl": "1.0.0" } },
    },
  };
  expect(missingOptional(lock)).toEqual([["node_modules/a", "@a/linux-arm64-musl", "1.0.0"]]);
  const added = completeLock(lock).packages["node_modules/@a/linux-arm64-musl"];
  expect(added).toEqual({ version: "1.0.0", os: ["linux"], cpu: ["arm64"], libc: ["musl"], dev: true, optional: true });
  expect(platformOf("@a/windows-aarch64")).toEqual({ os: ["win32"], cpu: ["arm64"] });
  expect(platformOf("plain")).toBeUndefined();
});

test("every data file is small and has its expected rows beside it", () => {
  const folder = join(root, "test/data");
  const files = readdirSync(folder).filter((name) => name !== "README.md" && !name.endsWith(".expected.json"));
  const isLarge = (name: string): boolean => statSync(join(folder, name)).size > 50_000;
  expect(files.length).toBeGreaterThan(100);
  expect(files.filter((name) => isLarge(name) || !existsSync(join(folder, `${name}.expected.json`)))).toEqual([]);
});

type Outcome = { readonly where: string; readonly code: number; readonly output: string };

function spawn(where: string, command: readonly string[], cwd: string): Outcome {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], { cwd });
  return { where, code: exitCode, output: `${stdout}${stderr}` };
}

/**
 * Checks the types of `examples`, then runs each in a folder that holds the flights file. They live in a folder of
 * the project while they run, so that `import "sage"` means the project itself. Returns those that failed.
 */
function runExamples(examples: readonly Example[]): Outcome[] {
  if (examples.length === 0) return [];
  mkdirSync(join(root, "out"), { recursive: true });
  const folder = mkdtempSync(join(root, "out/examples-"));
  trees.push(folder);
  writeFileSync(join(folder, "tsconfig.json"), '{ "extends": "../../tsconfig.json", "include": ["*.ts"] }');
  symlinkSync(join(root, "node_modules/vega-datasets/data/flights-3m.parquet"), join(folder, "flights-3m.parquet"));
  const outcomes = examples.map(({ page, line, code }, index) => {
    const file = join(folder, `example_${index}.ts`);
    writeFileSync(file, code);
    const isJob = code.includes("export default dataflow(");
    const command = isJob ? [process.execPath, join(root, "cli.ts"), "run", file] : [process.execPath, file];
    return spawn(`${page}:${line}`, command, folder);
  });
  outcomes.push(spawn("types", [join(root, "node_modules/.bin/tsc"), "-p", folder], folder));
  return outcomes.filter(({ code }) => code !== 0);
}

test("the documents' TypeScript examples compile and run", () => {
  expect(runExamples(docExamples(root))).toEqual([]);
});

test("an example that does not compile or run is noticed", () => {
  const fence = "```";
  const tree = house({
    "README.md": `${fence}ts run\nconst n: number = "a";\nconsole.log(n);\n${fence}\n`,
    "docs/a.md": `text\n\n${fence}ts run\nthrow new Error("no");\n${fence}\n\n${fence}ts\nnot run\n${fence}\n`,
  });
  const failed = runExamples(docExamples(tree));
  expect(failed.map(({ where }) => where)).toEqual(["docs/a.md:3", "types"]);
});
