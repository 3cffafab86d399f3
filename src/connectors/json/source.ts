import type { Schema } from "../../arrow/mod.ts";
import type { ReadHandle } from "../../kernel/mod.ts";
import type { ConnectorSpec } from "../../plan/mod.ts";
import type { JsonSourceOptions } from "../../stream/mod.ts";
import type { Source, Split, Tools } from "../contract.ts";
import { asConnectorError } from "../error.ts";
import { type FileKind, openFile, resolveFiles } from "../files.ts";
import { isGzip, readHead } from "../text_input.ts";
import { JsonGuess } from "./infer.ts";
import { JsonCursor, JsonError } from "./parse.ts";
import { JsonReader } from "./reader.ts";

export const JSON_FILES: FileKind = {
  what: "JSON",
  endings: [".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz"],
};

const HEAD_BYTES = 1 << 20;
const SPLIT_BYTES = 8 << 20;
const LINE_BYTES_MAX = 1 << 28;

export interface JsonPart {
  readonly path: string;
  readonly gzip: boolean;
  readonly start: number;
  readonly end: number;
  /** One top-level array instead of lines. */
  readonly array: boolean;
}

export interface JsonSplitData {
  readonly parts: readonly JsonPart[];
  /** The requested columns. */
  readonly schema: Schema;
}

interface JsonHead {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly whole: boolean;
  readonly start: number;
  readonly array: boolean;
  readonly fileBytes: number;
}

export const jsonSource: Source = {
  async describe(spec, tools) {
    const { heads, schema } = await openAll(spec, tools);
    return { schema, rowCount: null, rowCountExact: false, files: heads.map((head) => head.path) };
  },

  async splits(spec, request, tools) {
    const { heads, schema } = await openAll(spec, tools);
    const columns = { fields: request.columns.flatMap((name) => schema.fields.filter((field) => field.name === name)) };
    const parts = heads.flatMap((head) => partsOf(head, tools));
    return groupParts(parts, columns, typeof optionsOf(spec).onBadRow !== "string");
  },

  open(spec, _request, split, context) {
    return new JsonReader(split.data as JsonSplitData, optionsOf(spec), context);
  },
};

function optionsOf(spec: ConnectorSpec): JsonSourceOptions {
  return spec.options as unknown as JsonSourceOptions; // written by `Stream.fromJson`
}

async function openAll(spec: ConnectorSpec, tools: Tools): Promise<{ heads: JsonHead[]; schema: Schema }> {
  const options = optionsOf(spec);
  const heads: JsonHead[] = [];
  for (const path of resolveFiles(tools.disk, options.paths, JSON_FILES)) {
    heads.push(await readJsonHead(path, tools));
    await tools.turn?.();
  }
  return { heads, schema: options.schema ?? guessSchema(heads, options.inferRows) };
}

async function readJsonHead(path: string, tools: Tools): Promise<JsonHead> {
  const handle = openFile(tools.disk, path);
  try {
    const { bytes, whole } = await readHead({ handle, gzip: isGzip(path), compression: tools.compression }, HEAD_BYTES);
    const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    const cursor = new JsonCursor();
    cursor.reset(bytes, start, bytes.length);
    const array = cursor.peek() === 91;
    return { path, bytes, whole, start: array ? cursor.at + 1 : start, array, fileBytes: handle.bytes };
  } catch (cause) {
    throw asConnectorError(cause, "corrupt", () => `Cannot read ${path}`);
  } finally {
    handle.close();
  }
}

function guessSchema(heads: readonly JsonHead[], inferRows: number): Schema {
  const guess = new JsonGuess();
  for (const head of heads) {
    const cursor = new JsonCursor();
    let at = head.start;
    for (let rows = 0; rows < inferRows && at < head.bytes.length; rows++) {
      const next = head.array ? head.bytes.length : lineEnd(head, at);
      cursor.reset(head.bytes, at, next);
      const found = guessRow(cursor, guess);
      if (head.array) {
        if (!found || cursor.peek() !== 44) break;
        at = cursor.at + 1;
      } else at = next + 1;
    }
  }
  return { fields: guess.columns() };
}

/** Rows that are no objects are left to the reader, which names them. */
function guessRow(cursor: JsonCursor, guess: JsonGuess): boolean {
  try {
    if (cursor.peek() !== 123) return false;
    const start = cursor.at;
    cursor.skip();
    cursor.at = start;
    cursor.members((key) => guess.field(key).add(cursor));
    return true;
  } catch (cause) {
    if (cause instanceof JsonError) return false;
    throw cause;
  }
}

function lineEnd(head: JsonHead, at: number): number {
  const end = head.bytes.indexOf(10, at);
  return end < 0 ? head.bytes.length : end;
}

function partsOf(head: JsonHead, tools: Tools): JsonPart[] {
  const part = { path: head.path, gzip: isGzip(head.path), array: head.array };
  if (part.gzip) return [{ ...part, start: head.start, end: Number.MAX_SAFE_INTEGER }];
  if (head.array || head.fileBytes <= SPLIT_BYTES * 1.5) return [{ ...part, start: head.start, end: head.fileBytes }];
  const handle = openFile(tools.disk, head.path);
  try {
    const parts: JsonPart[] = [];
    let start = head.start;
    while (start < head.fileBytes) {
      const end = lineBorder(handle, start + SPLIT_BYTES);
      parts.push({ ...part, start, end });
      start = end;
    }
    return parts;
  } finally {
    handle.close();
  }
}

/** The first line start at or after `from`; a line break cannot be inside a JSON text. */
function lineBorder(handle: ReadHandle, from: number): number {
  const chunk = new Uint8Array(1 << 16);
  for (let at = from - 1; at < handle.bytes && at < from + LINE_BYTES_MAX; at += chunk.length) {
    const found = chunk.subarray(0, handle.readAt(at, chunk, chunk.length)).indexOf(10);
    if (found >= 0) return at + found + 1;
  }
  return handle.bytes;
}

/** Small parts share a split; all are one split when `together`: bad rows of all go to one file. */
function groupParts(parts: readonly JsonPart[], schema: Schema, together: boolean): Split[] {
  const splits: Split[] = [];
  let group: JsonPart[] = [];
  let bytes = 0;
  const close = () => {
    if (group.length === 0) return;
    const data: JsonSplitData = { parts: group, schema };
    splits.push({ index: splits.length, estimatedRows: null, estimatedBytes: bytes, data });
    [group, bytes] = [[], 0];
  };
  for (const part of parts) {
    const size = part.gzip ? SPLIT_BYTES : part.end - part.start;
    if (bytes + size > SPLIT_BYTES && !together) close();
    group.push(part);
    bytes += size;
  }
  close();
  return splits;
}
