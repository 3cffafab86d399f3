/**
 * House rules that no other tool checks. Each check takes the root of a project and returns what is wrong, one line
 * each, so that the tests can also show them a broken house.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { LAYERS, PLATFORM_FOLDER } from "./layers.ts";

const FILE_LINES_MAX = 500;
export const FUNCTION_LINES_MAX = 70;
const README_LINES_MAX = 30;
const SKIPPED_FOLDERS = new Set(["node_modules", ".git", "dist", "out", "data"]);

/** Largest sizes of files that are over the limit: they may only shrink. Path to lines, or to its longest function's. */
export type Ratchet = { fileLines: Record<string, number>; functionLines: Record<string, number> };

/** All files below `root/folder` whose name ends in one of `endings`, as paths from `root`, sorted. */
export function filesBelow(root: string, folder: string, endings: readonly string[]): string[] {
  const start = join(root, folder);
  if (!existsSync(start)) return [];
  const found: string[] = [];
  for (const entry of readdirSync(start, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) found.push(...filesBelow(root, path, endings));
    if (entry.isFile() && endings.some((ending) => entry.name.endsWith(ending))) found.push(path);
  }
  return found.sort();
}

function sourceFiles(root: string): string[] {
  const below = ["src", "scripts", "bench", "test", "examples"].flatMap((name) => filesBelow(root, name, [".ts"]));
  return [...["mod.ts", "cli.ts"].filter((name) => existsSync(join(root, name))), ...below];
}

const read = (root: string, path: string): string => readFileSync(join(root, path), "utf8");

/** Lines of a text, not counting the empty rest after its last line break. */
export const lineCount = (text: string): number => text.split("\n").length - (text.endsWith("\n") ? 1 : 0);

/** Folders of `src/` against the layer table and the READMEs they must have. */
export function checkFolders(root: string): string[] {
  const problems: string[] = [];
  const onDisk = readdirSync(join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const names = new Set(onDisk.map((entry) => entry.name));
  for (const { folder, isPlanned } of LAYERS) {
    if (!names.has(folder) && !isPlanned) problems.push(`src/${folder}/ is in the layer table but not on disk`);
    if (names.has(folder) && isPlanned) problems.push(`src/${folder}/ is on disk but still planned in the layer table`);
  }
  for (const name of names) {
    if (!LAYERS.some((layer) => layer.folder === name)) problems.push(`src/${name}/ is not in scripts/layers.ts`);
    if (!existsSync(join(root, "src", name, "mod.ts"))) problems.push(`src/${name}/ has no mod.ts`);
    const readme = join("src", name, "README.md");
    if (!existsSync(join(root, readme))) problems.push(`src/${name}/ has no README.md`);
    else if (lineCount(read(root, readme)) > README_LINES_MAX) {
      problems.push(`${readme} has more than ${README_LINES_MAX} lines`);
    }
  }
  return problems;
}

/** Compares measured sizes with the limit and the exceptions; an exception that is too generous is wrong as well. */
export function checkRatchet(
  sizes: ReadonlyMap<string, number>,
  exceptions: Readonly<Record<string, number>>,
  limit: number,
): string[] {
  const problems: string[] = [];
  for (const [path, lines] of sizes) {
    const allowed = exceptions[path] ?? limit;
    if (lines > allowed) problems.push(`${path}: ${lines} lines, at most ${allowed}`);
  }
  for (const [path, allowed] of Object.entries(exceptions)) {
    const lines = sizes.get(path) ?? 0;
    if (lines <= limit) problems.push(`${path}: within ${limit} lines, remove it from scripts/size_ratchet.json`);
    else if (lines < allowed) problems.push(`${path}: now ${lines} lines, lower its ${allowed} in size_ratchet.json`);
  }
  return problems;
}

/** File sizes against the limit. */
export function checkFileSizes(root: string, exceptions: Readonly<Record<string, number>>): string[] {
  const sizes = new Map(sourceFiles(root).map((path) => [path, lineCount(read(root, path))]));
  return checkRatchet(sizes, exceptions, FILE_LINES_MAX);
}

const MARKERS = new RegExp(`\\b(${["FIX", "TO", "XX"].join("|")})(ME|DO|X)\\b`);
const MACHINE_PATH = /["'`(\s](\/work\/|\/root\/|\/tmp\/|\/home\/\w)/;
const REGISTRY_HOST = new RegExp(
  `https?://[\\w.-]*(${["npmjs", "npmmirror", "yarnpkg", "pypi"].join("|")})\\b|"resolved":\\s*"http`,
);

const CLOCK = /\bnew Date\(\)|(?<!new )\bDate\(/;
const isPure = (path: string): boolean => path.startsWith("src") && path.split("/")[1] !== PLATFORM_FOLDER;

/** Words and addresses that have no place in the project. */
export function checkWords(root: string): string[] {
  const problems: string[] = [];
  const top = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isFile());
  const texts = top.map((entry) => entry.name).filter((name) => /\.(json|md)$|^\.npmrc$/.test(name));
  const pages = filesBelow(root, "docs", [".md"]);
  const readmes = filesBelow(root, "src", [".md"]);
  for (const path of [...texts, ...pages, ...readmes, ...sourceFiles(root)]) {
    for (const [index, line] of read(root, path).split("\n").entries()) {
      const where = `${path}:${index + 1}`;
      if (MARKERS.test(line)) problems.push(`${where}: unfinished-work marker; do it or file an issue`);
      if (REGISTRY_HOST.test(line)) problems.push(`${where}: names a package registry`);
      if (path.startsWith("src") && MACHINE_PATH.test(line)) problems.push(`${where}: path of one machine`);
      if (CLOCK.test(line) && isPure(path)) problems.push(`${where}: reads the clock; use the Clock port`);
    }
  }
  return problems;
}

function documents(root: string): string[] {
  const top = readdirSync(root).filter((name) => name.endsWith(".md"));
  return [...top, ...["docs", "src", "test", "examples"].flatMap((folder) => filesBelow(root, folder, [".md"]))];
}

/** GitHub's anchor of a heading. */
function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-");
}

/** Relative links, with their anchors, of every page. */
export function checkLinks(root: string): string[] {
  const problems: string[] = [];
  for (const page of documents(root)) {
    const text = read(root, page).replace(/^```[\s\S]*?^```/gm, "");
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = "", anchor] = target.split("#");
      const file = path === "" ? page : relative(root, join(root, dirname(page), path));
      if (!existsSync(join(root, file))) problems.push(`${page}: link to ${target}, which does not exist`);
      else if (anchor !== undefined) {
        const anchors = [...read(root, file).matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1] ?? ""));
        if (!anchors.includes(anchor)) problems.push(`${page}: link to ${target}, which has no such heading`);
      }
    }
  }
  return problems;
}

export type Example = { readonly page: string; readonly line: number; readonly code: string };

/** TypeScript blocks of README.md and docs/ that are marked to be run: fenced as `ts run`. */
export function docExamples(root: string): Example[] {
  const pages = ["README.md", ...filesBelow(root, "docs", [".md"])].filter((page) => existsSync(join(root, page)));
  return pages.flatMap((page) => {
    const text = read(root, page);
    return [...text.matchAll(/^```ts run\n([\s\S]*?)^```/gm)].map((match) => ({
      page,
      line: lineCount(text.slice(0, match.index)) + 1,
      code: match[1] ?? "",
    }));
  });
}
