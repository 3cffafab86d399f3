import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { bundleModule } from "../../src/platform/bundle_module.ts";
import { SourceMap } from "../../src/platform/source_map.ts";
import { directoryWith } from "../cli/sage.ts";

const check = fileURLToPath(new URL("./bundle_check.ts", import.meta.url));
const bin = fileURLToPath(new URL("../../node_modules/.bin/", import.meta.url));

interface Outcome {
  readonly hash?: string;
  readonly name?: string;
  readonly url?: string;
  readonly thrown?: { readonly file: string; readonly line: number; readonly lineText: string };
  readonly error?: {
    readonly code: string;
    readonly message: string;
    readonly line: number | null;
    readonly lineText: string | null;
  };
}

type Runtime = readonly [name: string, command: string, args: readonly string[]];

const runtimes: readonly Runtime[] = [
  ["Bun", `${bin}bun`, [check]],
  ["Deno", `${bin}deno`, ["run", "-A", "--no-check", check]],
];

function bundle(runtime: Runtime, file: string): Outcome {
  const [, command, args] = runtime;
  return JSON.parse(
    execFileSync(command, [...args, file], { stdio: ["ignore", "pipe", "inherit"] }).toString(),
  ) as Outcome;
}

const job = `import { dataflow, Stream } from "sage";
import { limit } from "./lib/helper.ts";

export default dataflow("job", () => Stream.fromRows([{ a: limit(import.meta.dirname.length) }]));
`;
const helper = `// rows of the job
interface Unused { a: number }

export function limit(value: number): number {
  const most: Unused = { a: 10_000 };
  if (value < most.a) throw new RangeError(\`too small: \${value}\`);
  return value;
}
`;

test.each(runtimes)("on %s an error in an imported file leads to its line there", (...runtime) => {
  const directory = directoryWith({ "job.ts": job, "lib/helper.ts": helper });
  const outcome = bundle(runtime, join(directory, "job.ts"));
  expect(outcome.name).toBe("job");
  expect(basename(outcome.thrown?.file ?? "")).toBe("helper.ts");
  expect(outcome.thrown).toMatchObject({ line: 6, lineText: expect.stringContaining("throw new RangeError") });
  expect(existsSync(new URL(outcome.url ?? ""))).toBe(false);
});

test.each(runtimes)("on %s equal sources in two places give one hash, and another text another", (...runtime) => {
  const text = 'import { dataflow, Stream } from "sage";\nexport default dataflow("x", () => Stream.generate(3));\n';
  const paths = [text, text, text.replace("3", "4")].map((body) => join(directoryWith({ "job.ts": body }), "job.ts"));
  const [one, two, other] = paths.map((path) => bundle(runtime, path).hash);
  expect(one).toMatch(/^[0-9a-f]{64}$/);
  expect(two).toBe(one);
  expect(other).not.toBe(one);
});

test.each(runtimes)("on %s a tsconfig that maps sage to its types does not lead the bundler astray", (...runtime) => {
  const directory = directoryWith({
    "job.ts": 'import { dataflow, Stream } from "sage";\nexport default dataflow("x", () => Stream.generate(3));\n',
    "tsconfig.json": '{ "compilerOptions": { "paths": { "sage": ["./sage.d.ts"] } } }',
    "sage.d.ts": "export declare const dataflow: unknown;",
  });
  expect(bundle(runtime, join(directory, "job.ts")).name).toBe("x");
});

const wrong: readonly (readonly [string, string, Outcome["error"]])[] = [
  [
    "a syntax error",
    "const x: number = 1;\nconst y = ;\n",
    { code: "syntax", message: "Unexpected", line: 2, lineText: "const y = ;" },
  ],
  [
    "a file that is not there",
    'import "./nope.ts";\nexport default 1;',
    { code: "import", message: "Cannot find the file ./nope.ts", line: 1, lineText: 'import "./nope.ts";' },
  ],
  [
    "a package that is not installed",
    '\nimport "no-such-package";\nexport default 1;',
    {
      code: "import",
      message: "Cannot find the package no-such-package",
      line: 2,
      lineText: 'import "no-such-package";',
    },
  ],
  [
    "a name that sage does not have",
    'import { fromRow } from "sage";\nexport default fromRow;',
    {
      code: "import",
      message: "sage has no export named fromRow",
      line: 1,
      lineText: 'import { fromRow } from "sage";',
    },
  ],
  [
    "no default export",
    "export const a = 1;\n",
    { code: "notADataflow", message: "no default export", line: null, lineText: null },
  ],
  [
    "an error at the top of the file",
    '\n\nthrow new TypeError("wrong here");\n',
    { code: "threw", message: "TypeError: wrong here", line: 3, lineText: 'throw new TypeError("wrong here");' },
  ],
];

for (const runtime of runtimes) {
  test.each(wrong)(`on ${runtime[0]} %s is told with its line`, (_what, text, expected) => {
    const { error } = bundle(runtime, join(directoryWith({ "job.ts": text }), "job.ts"));
    expect(error).toMatchObject({ ...expected, message: expect.stringContaining(expected?.message ?? "") });
  });
}

const bun: Runtime = ["Bun", `${bin}bun`, [check]];

test("a missing job file and a directory are told apart", () => {
  const directory = directoryWith({});
  expect(bundle(bun, join(directory, "job.ts")).error).toMatchObject({
    code: "missing",
    message: expect.stringContaining("Cannot find"),
  });
  expect(bundle(bun, directory).error).toMatchObject({
    code: "missing",
    message: expect.stringContaining("is not a file"),
  });
});

test("a module that is too large is refused before its map is read, and a map that is none leads nowhere", () => {
  const noMap = "no map";
  expect(() => bundleModule("x".repeat(33 << 20), noMap, "/")).toThrow(/has 33 MiB, at most 32 MiB can be sent/);
  expect(new SourceMap("file:///a.mjs", noMap, "/").locate("at f (/a.mjs:1:1)")).toBe(null);
});
