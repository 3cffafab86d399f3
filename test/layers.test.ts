import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { lintConfig, withLayerTable } from "../scripts/lint_rules.ts";
import { checkRatchet, FUNCTION_LINES_MAX, type Ratchet } from "../scripts/tidy.ts";

const root = Bun.fileURLToPath(new URL("../", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const trees: string[] = [];

afterEach(() => {
  for (const tree of trees.splice(0)) rmSync(tree, { recursive: true, force: true });
});

type Report = {
  diagnostics: { message: string; code: string; filename: string; labels: { span: { line: number } }[] }[];
};

function oxlint(cwd: string, args: readonly string[]): Report["diagnostics"] {
  const result = Bun.spawnSync([join(root, "node_modules/.bin/oxlint"), "-f", "json", ...args], { cwd });
  return (JSON.parse(result.stdout.toString()) as Report).diagnostics;
}

/** Lints `files` with the project's rules and gives the rules broken per `file:line`. */
function lint(files: Record<string, string>): string[] {
  const tree = mkdtempSync(join(tmpdir(), "sage-lint-"));
  trees.push(tree);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
  }
  for (const name of [".oxlintrc.json", "tsconfig.json"]) cpSync(join(root, name), join(tree, name));
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
  return oxlint(tree, ["--type-aware", "src"])
    .filter(({ code }) => !code.includes("no-unused"))
    .map(({ filename, labels, code }) => `${filename}:${labels[0]?.span.line} ${/\(([^)]+)\)/.exec(code)?.[1]}`)
    .sort();
}

/** Lints `lines` as one file of `folder` and gives, for each line, the rule it breaks. */
function lintLines(folder: string, lines: readonly string[]): (string | undefined)[] {
  const path = `src/${folder}/canary.ts`;
  const found = new Map(lint({ [path]: lines.join("\n") }).map((text) => text.split(" ") as [string, string]));
  return lines.map((_, index) => found.get(`${path}:${index + 1}`));
}

test("the lint rules on disk are those of the layer table", () => {
  expect(JSON.parse(read(".oxlintrc.json"))).toEqual(lintConfig());
});

test("the table in the architecture page is the layer table", () => {
  const page = read("docs/architecture.md");
  expect(withLayerTable(page)).toBe(page);
  expect(() => withLayerTable("no table")).toThrow("No layer table");
});

test("every way of importing against the layers is reported", () => {
  const lines = [
    'import { above } from "../exec/mod.ts";',
    'import type { Above } from "../stream/mod.ts";',
    'import { sameRow } from "../state/mod.ts";',
    'import { inner } from "../kernel/error.ts";',
    'import type { Inner } from "../arrow/deep/mod.ts";',
    'import { own } from "./mod.ts";',
    'import * as outside from "../../scripts/layers.ts";',
    'export { again } from "../cli/mod.ts";',
    'export * from "../node/mod.ts";',
    'export const late = import("../exec/mod.ts");',
    'import "sage";',
    'import "../../mod.ts";',
  ];
  expect(lintLines("plan", lines)).toEqual(lines.map(() => "no-restricted-imports"));
});

test("imports that keep to the layers are not reported", () => {
  const lines = [
    'export { invariant } from "../kernel/mod.ts";',
    'export type { Schema } from "../arrow/mod.ts";',
    'export { rule } from "./rules/fold.ts";',
    'export { tableFromArrays } from "apache-arrow";',
  ];
  expect(lintLines("plan", lines)).toEqual(lines.map(() => undefined));
});

test("the runtime, the clock and chance are reported outside the platform", () => {
  const lines: [string, string][] = [
    ['import "node:fs";', "no-restricted-imports"],
    ['import type { PathLike } from "fs";', "no-restricted-imports"],
    ['import "bun:ffi";', "no-restricted-imports"],
    ['import "libp2p";', "no-restricted-imports"],
    ["export const a = Bun.version;", "no-restricted-globals"],
    ["export const b = typeof Deno;", "no-restricted-globals"],
    ["export const c = Date.now();", "no-restricted-properties"],
    ["export const d = Math.random();", "no-restricted-properties"],
    ["setTimeout(() => {}, 1);", "no-restricted-globals"],
    ["export const e = performance.now();", "no-restricted-globals"],
    ["export const f = globalThis.performance;", "no-restricted-properties"],
    ["export const g = process.env;", "no-restricted-globals"],
    ["console.log(1);", "no-restricted-globals"],
  ];
  const text = lines.map(([line]) => line);
  expect(lintLines("exec", text)).toEqual(lines.map(([, rule]) => rule));
  expect(lintLines("platform", text)).toEqual(lines.map(() => undefined));
});

test("floating promises and any are reported", () => {
  const lines = ["export async function f(): Promise<void> {}", "f();", "export const loose: any = 1;"];
  expect(lintLines("exec", lines)).toEqual([undefined, "no-floating-promises", "no-explicit-any"]);
});

/** Longest function of each file in `cwd` that has one over `limit` lines, by the linter's own parser. */
function functionSizes(cwd: string, folders: readonly string[], limit: number): Map<string, number> {
  const folder = mkdtempSync(join(tmpdir(), "sage-size-"));
  trees.push(folder);
  const config = join(folder, "oxlint.json");
  writeFileSync(
    config,
    JSON.stringify({
      categories: { correctness: "off" },
      rules: { "max-lines-per-function": ["error", { max: limit }] },
    }),
  );
  const sizes = new Map<string, number>();
  for (const { message, filename } of oxlint(cwd, ["-c", config, ...folders])) {
    const lines = Number(/\((\d+)\)/.exec(message)?.[1]);
    sizes.set(filename, Math.max(lines, sizes.get(filename) ?? 0));
  }
  return sizes;
}

test("functions keep to their size, and those that do not only shrink", () => {
  const ratchet = JSON.parse(read("scripts/size_ratchet.json")) as Ratchet;
  const sizes = functionSizes(root, ["src", "scripts", "bench"], FUNCTION_LINES_MAX);
  expect(checkRatchet(sizes, ratchet.functionLines, FUNCTION_LINES_MAX)).toEqual([]);
});

test("a function that is too long is measured", () => {
  const tree = mkdtempSync(join(tmpdir(), "sage-size-"));
  trees.push(tree);
  mkdirSync(join(tree, "src"));
  writeFileSync(join(tree, "src/long.ts"), `export function f() {\n${"  g();\n".repeat(98)}}\n`);
  expect([...functionSizes(tree, ["src"], 70)]).toEqual([["src/long.ts", 100]]);
});
