import type { DataType, Field, Schema } from "../../arrow/mod.ts";
import { typeName } from "../../arrow/mod.ts";
import type { CsvSourceOptions } from "../../stream/mod.ts";
import type { Tools } from "../contract.ts";
import { asConnectorError, ConnectorError } from "../error.ts";
import { openFile } from "../files.ts";
import { isGzip, readHead } from "../text_input.ts";
import { isUtf8 } from "../utf8.ts";
import { isCsvType } from "./convert.ts";
import type { Dialect } from "./dialect.ts";
import { TypeGuess } from "./infer.ts";
import { readLooseRow, skipBlank, skipLine } from "./loose.ts";
import { END_MASK, ESCAPED, QUOTED, unescapeField } from "./rows.ts";

/** The start of a file: its column names and a sample of its rows. */
export interface CsvHead {
  readonly path: string;
  readonly names: readonly string[];
  /** Byte (of the unpacked text) at which the first row starts. */
  readonly dataStart: number;
  readonly sample: { readonly bytes: Uint8Array; readonly length: number };
  readonly whole: boolean;
  readonly fileBytes: number;
}

const HEAD_BYTES = 1 << 20;
const HEAD_BYTES_MAX = 1 << 28;
const COLUMNS_MAX = 100_000;
/** Files whose start is looked at to infer types. */
const INFER_FILES_MAX = 16;

export async function readCsvHead(
  path: string,
  options: CsvSourceOptions,
  tools: Tools & { dialect: Dialect },
): Promise<CsvHead> {
  const handle = openFile(tools.disk, path);
  try {
    const open = { handle, gzip: isGzip(path), compression: tools.compression };
    for (let headBytes = HEAD_BYTES; ; headBytes *= 8) {
      const { bytes, whole } = await readHead(open, headBytes);
      const head = parseHead(path, bytes, { ...tools, options });
      // Header and first row must be whole, however long they are.
      const cut =
        !whole && headBytes < HEAD_BYTES_MAX && readLooseRow(head.sample, tools.dialect, head.dataStart).incomplete;
      if (!cut) return { path, ...head, whole, fileBytes: handle.bytes };
    }
  } catch (cause) {
    throw asConnectorError(cause, "corrupt", () => `Cannot read ${path}`);
  } finally {
    handle.close();
  }
}

function parseHead(path: string, bytes: Uint8Array, context: { dialect: Dialect; options: CsvSourceOptions }) {
  const { dialect, options } = context;
  const sample = { bytes, length: bytes.length };
  let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  for (let i = 0; i < options.skipRows; i++) at = skipLine(sample, at);
  const start = at;
  at = skipBlank(sample, dialect, at);
  if (at >= sample.length && (options.header || options.schema?.fields.length !== 1))
    return { names: declaredNames(options), dataStart: at, sample };
  const row = readLooseRow(sample, dialect, at);
  if (row.starts.length > COLUMNS_MAX)
    throw new ConnectorError("corrupt", `Cannot read ${path}: more than ${COLUMNS_MAX} columns.`);
  if (!options.header) {
    const declared = declaredNames(options);
    const names = row.starts.map((_, i) => declared[i] ?? `column${i + 1}`);
    // Blank lines are rows where there is one column.
    return { names, dataStart: names.length === 1 ? start : at, sample };
  }
  const names = row.starts.map((start, i) =>
    headerName(path, sample.bytes, { start, end: row.ends[i] as number, dialect }),
  );
  return { names: checkNames(path, names), dataStart: row.next, sample };
}

function declaredNames(options: CsvSourceOptions): string[] {
  return options.schema?.fields.map((field) => field.name) ?? [];
}

function headerName(path: string, bytes: Uint8Array, field: { start: number; end: number; dialect: Dialect }): string {
  const end = field.end & END_MASK;
  const raw = bytes.slice(field.start, end);
  const name = (field.end & ESCAPED) !== 0 ? unescapeField(raw, 0, raw.length, field.dialect) : raw;
  if (!isUtf8(name))
    throw new ConnectorError("badRow", `Cannot read ${path}: line 1, a column name is not valid UTF-8.`);
  const text = new TextDecoder().decode(name);
  return (field.end & QUOTED) === 0 ? text.trim() : text;
}

function checkNames(path: string, names: string[]): string[] {
  const named = names.map((name, i) => (name === "" ? `column${i + 1}` : name));
  const twice = named.find((name, i) => named.indexOf(name) !== i);
  if (twice === undefined) return named;
  throw new ConnectorError(
    "schemaMismatch",
    `Cannot read ${path}: its header names two columns "${twice}". Rename one, or set header to false and skipRows to 1.`,
  );
}

/** The schema of the source: declared, or guessed from the first rows of the first files. */
export function csvSchema(heads: readonly CsvHead[], options: CsvSourceOptions, dialect: Dialect): Schema {
  if (options.schema !== null) {
    for (const field of options.schema.fields) checkDeclared(field);
    return options.schema;
  }
  const first = heads.find((head) => head.names.length > 0);
  if (first === undefined) return { fields: [] };
  const guesses = new Map(first.names.map((name) => [name, new TypeGuess()]));
  for (const head of heads.slice(0, INFER_FILES_MAX)) guessTypes(head, guesses, { options, dialect });
  return { fields: first.names.map((name): Field => ({ name, type: typeOf(guesses.get(name)), nullable: true })) };
}

function typeOf(guess: TypeGuess | undefined): DataType {
  return guess?.type() ?? { kind: "utf8" };
}

function checkDeclared(field: Field): void {
  if (isCsvType(field.type)) return;
  throw new ConnectorError(
    "option",
    `CSV column "${field.name}" is declared as ${typeName(field.type)}, which text cannot hold.`,
  );
}

function guessTypes(
  head: CsvHead,
  guesses: Map<string, TypeGuess>,
  context: { options: CsvSourceOptions; dialect: Dialect },
): void {
  const { sample, names } = head;
  const { dialect, options } = context;
  const columns = names.map((name) => guesses.get(name));
  let at = head.dataStart;
  for (let rows = 0; rows < options.inferRows; rows++) {
    at = skipBlank(sample, dialect, at);
    if (at >= sample.length) return;
    const row = readLooseRow(sample, dialect, at);
    at = row.next;
    if (row.incomplete && !head.whole) return;
    if (row.starts.length !== names.length) continue;
    for (const [i, guess] of columns.entries()) {
      const start = row.starts[i] as number;
      const flagged = row.ends[i] as number;
      const end = flagged & END_MASK;
      if (!isNull(sample.bytes, { start, end, quoted: (flagged & QUOTED) !== 0 }, dialect))
        guess?.add(sample.bytes, start, end);
    }
  }
}

function isNull(bytes: Uint8Array, field: { start: number; end: number; quoted: boolean }, dialect: Dialect): boolean {
  if (field.quoted) return false;
  const length = field.end - field.start;
  if (length === 0) return true;
  return dialect.nulls.some(
    (marker) => marker.length === length && marker.every((byte, i) => bytes[field.start + i] === byte),
  );
}
