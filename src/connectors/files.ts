import { type Field, type Schema, typeEquals, typeName } from "../arrow/mod.ts";
import type { Disk, ReadHandle } from "../kernel/mod.ts";
import { ConnectorError, guarded } from "./error.ts";
import { expandBraces, isPattern, segmentMatcher } from "./glob.ts";

/** Which files of a directory belong to a format, by the end of their names (lower case). */
export interface FileKind {
  readonly what: string;
  readonly endings: readonly string[];
}

const FILES_MAX = 100_000;
const DIRECTORY_DEPTH_MAX = 64;

/** Files that the paths, directories and patterns stand for, each once: by path given, then sorted by name. */
export function resolveFiles(disk: Disk, paths: readonly string[], kind: FileKind): string[] {
  const found = new Set<string>();
  if (paths.length === 0) throw new ConnectorError("option", `Cannot read ${kind.what}: no path is given.`);
  for (const path of paths) for (const file of resolvePath(disk, path, kind)) found.add(file);
  return [...found];
}

function resolvePath(disk: Disk, path: string, kind: FileKind): string[] {
  const entry = guarded(
    "io",
    () => `Cannot read ${path}`,
    () => disk.stat(path),
  );
  if (entry?.kind === "directory") return directoryFiles(disk, path, kind);
  if (entry !== null) return [path];
  if (!isPattern(path)) throw missingPath(disk, path);
  const files = [...new Set(expandBraces(path).flatMap((pattern) => matchPattern(disk, pattern)))].sort(byCodeUnit);
  if (files.length === 0) throw noMatch(disk, path);
  return files;
}

function missingPath(disk: Disk, path: string): ConnectorError {
  const slash = path.lastIndexOf("/");
  const parent = slash < 0 ? "." : path.slice(0, slash) || "/";
  const reason =
    disk.stat(parent)?.kind === "directory" ? "no such file or directory" : `there is no directory ${parent}`;
  return new ConnectorError(
    "notFound",
    `Cannot read ${path}: ${reason}. Relative paths count from the current directory.`,
  );
}

function noMatch(disk: Disk, pattern: string): ConnectorError {
  const base = fixedPrefix(pattern);
  const missing = disk.stat(base)?.kind !== "directory";
  const reason = missing ? `there is no directory ${base}` : `no file in ${base} matches the pattern`;
  return new ConnectorError("notFound", `Cannot read ${pattern}: ${reason}.`);
}

/** The directory before the first segment with a pattern. */
function fixedPrefix(pattern: string): string {
  const segments = pattern.split("/");
  const first = segments.findIndex(isPattern);
  const prefix = segments.slice(0, first).join("/");
  return prefix !== "" ? prefix : pattern.startsWith("/") ? "/" : ".";
}

function directoryFiles(disk: Disk, directory: string, kind: FileKind): string[] {
  const base = directory.endsWith("/") ? directory : `${directory}/`;
  const files = list(disk, directory)
    .filter((name) => !name.startsWith(".") && kind.endings.some((ending) => name.toLowerCase().endsWith(ending)))
    .map((name) => base + name)
    .filter((path) => disk.stat(path)?.kind === "file");
  if (files.length > 0) return files;
  const endings = kind.endings.join(", ");
  throw new ConnectorError(
    "notFound",
    `Cannot read directory ${directory}: it has no ${kind.what} files (${endings}).`,
  );
}

function list(disk: Disk, directory: string): readonly string[] {
  return guarded(
    "io",
    () => `Cannot list ${directory}`,
    () => disk.list(directory),
  );
}

function matchPattern(disk: Disk, pattern: string): string[] {
  const absolute = pattern.startsWith("/");
  const segments = pattern.split("/").filter((segment, i) => segment !== "" && !(segment === "." && i > 0));
  const found: string[] = [];
  walk(disk, { base: absolute ? "/" : "", segments, depth: 0 }, found);
  return found;
}

interface Step {
  /** "" or ending in "/". */
  readonly base: string;
  readonly segments: readonly string[];
  readonly depth: number;
}

function walk(disk: Disk, step: Step, found: string[]): void {
  const [segment, ...rest] = step.segments;
  if (segment === undefined || found.length >= FILES_MAX || step.depth > DIRECTORY_DEPTH_MAX) return;
  const down = (base: string, segments: readonly string[]) =>
    walk(disk, { base, segments, depth: step.depth + 1 }, found);
  if (segment === "**") {
    walk(disk, { ...step, segments: rest.length === 0 ? ["*"] : rest }, found);
    for (const name of directories(disk, step.base)) down(`${step.base}${name}/`, step.segments);
    return;
  }
  if (!isPattern(segment)) {
    const path = step.base + segment;
    const kind = disk.stat(path)?.kind;
    if (rest.length === 0 && kind === "file") found.push(path);
    else if (rest.length > 0 && kind === "directory") down(`${path}/`, rest);
    return;
  }
  const matches = segmentMatcher(segment);
  const directory = step.base === "" ? "." : step.base;
  if (disk.stat(directory)?.kind !== "directory") return;
  for (const name of list(disk, directory)) {
    if (!matches(name) || name.endsWith(".tmp")) continue;
    const kind = disk.stat(step.base + name)?.kind;
    if (rest.length === 0 && kind === "file") found.push(step.base + name);
    else if (rest.length > 0 && kind === "directory") down(`${step.base}${name}/`, rest);
  }
}

function directories(disk: Disk, base: string): string[] {
  const directory = base === "" ? "." : base;
  if (disk.stat(directory)?.kind !== "directory") return [];
  return list(disk, directory).filter((name) => !name.startsWith(".") && disk.stat(base + name)?.kind === "directory");
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function openFile(disk: Disk, path: string): ReadHandle {
  return guarded(
    "io",
    () => `Cannot open ${path}`,
    () => disk.openRead(path),
  );
}

export interface FileSchema {
  readonly path: string;
  readonly schema: Schema;
}

/**
 * The schema of several files: the first one's, a column nullable where any file's is. The others must have the same
 * columns in any order. With `declared`, that is the schema, and the files may have more columns.
 */
export function commonSchema(files: readonly FileSchema[], declared: Schema | null): Schema {
  const [first] = files;
  if (first === undefined) return declared ?? { fields: [] };
  const wanted = declared?.fields ?? first.schema.fields;
  const fields = wanted.map((field) => ({ ...field, nullable: declared === null ? field.nullable : true }));
  for (const file of files) {
    const there = new Map(file.schema.fields.map((field) => [field.name, field]));
    if (there.size !== file.schema.fields.length) throw duplicateColumn(file);
    for (const [i, field] of fields.entries()) {
      const other = there.get(field.name);
      if (other === undefined || !typeEquals(other.type, field.type))
        throw mismatch({ field, other, file, first, declared });
      if (declared === null && other.nullable) fields[i] = { ...field, nullable: true };
    }
    const extra =
      declared === null ? file.schema.fields.find((f) => !fields.some((g) => g.name === f.name)) : undefined;
    if (extra !== undefined) throw extraColumn(extra, file, first);
  }
  return { fields };
}

function duplicateColumn(file: FileSchema): ConnectorError {
  const names = file.schema.fields.map((field) => field.name);
  const name = names.find((candidate, i) => names.indexOf(candidate) !== i) ?? "";
  return new ConnectorError(
    "schemaMismatch",
    `Cannot read ${file.path}: it has two columns "${name}"; names must differ.`,
  );
}

interface Mismatch {
  readonly field: Field;
  readonly other: Field | undefined;
  readonly file: FileSchema;
  readonly first: FileSchema;
  readonly declared: Schema | null;
}

function mismatch(parts: Mismatch): ConnectorError {
  const { field, other, file, first, declared } = parts;
  const reference =
    declared === null ? `${first.path} has it as ${typeName(field.type)}` : `${typeName(field.type)} is declared`;
  const names = file.schema.fields.map((f) => f.name).join(", ");
  const here = other === undefined ? `is missing (there are: ${names})` : `has type ${typeName(other.type)}`;
  return new ConnectorError(
    "schemaMismatch",
    `Cannot read ${file.path}: column "${field.name}" ${here}, but ${reference}.`,
  );
}

function extraColumn(field: Field, file: FileSchema, first: FileSchema): ConnectorError {
  return new ConnectorError(
    "schemaMismatch",
    `Cannot read ${file.path}: it has a column "${field.name}" that ${first.path} does not have. Declare a schema to read the common columns.`,
  );
}
