import type { DataType, Schema } from "../../arrow/mod.ts";
import type { ConnectorSpec } from "../../plan/mod.ts";
import type { CsvSourceOptions } from "../../stream/mod.ts";
import type { Source, SourceInfo, SourceRequest, Split, Tools } from "../contract.ts";
import { ConnectorError } from "../error.ts";
import { type FileKind, openFile, resolveFiles } from "../files.ts";
import { isGzip } from "../text_input.ts";
import { type ByteSpan, rowSpans, SPLIT_BYTES } from "./borders.ts";
import { type Dialect, dialectOf } from "./dialect.ts";
import { type CsvHead, csvSchema, readCsvHead } from "./head.ts";
import { CsvReader } from "./reader.ts";

export const CSV_FILES: FileKind = { what: "CSV", endings: [".csv", ".tsv", ".csv.gz", ".tsv.gz"] };

/** A span of a file, in a split; plain data. */
export interface CsvPart extends ByteSpan {
  readonly path: string;
  readonly gzip: boolean;
  /** Fields of a row. */
  readonly width: number;
  /** For each requested column: which field, of what type. */
  readonly columns: readonly { readonly name: string; readonly index: number; readonly type: DataType }[];
}

export interface CsvSplitData {
  readonly parts: readonly CsvPart[];
}

export const csvSource: Source = {
  async describe(spec, tools) {
    const { heads, schema } = await openAll(spec, tools);
    const info: SourceInfo = {
      schema,
      rowCount: estimateRows(heads),
      rowCountExact: false,
      files: heads.map((h) => h.path),
    };
    return info;
  },

  async splits(spec, request, tools) {
    const { heads, schema, dialect, options } = await openAll(spec, tools);
    const parts: CsvPart[] = [];
    for (const head of heads) parts.push(...(await partsOf(head, { request, schema, dialect, tools, options })));
    return groupParts(parts, typeof options.onBadRow !== "string");
  },

  open(spec, request, split, context) {
    const options = optionsOf(spec);
    return new CsvReader({ data: split.data as CsvSplitData, dialect: dialectOf(options), options, request, context });
  },
};

function optionsOf(spec: ConnectorSpec): CsvSourceOptions {
  return spec.options as unknown as CsvSourceOptions; // written by `Stream.fromCsv`
}

interface Opened {
  readonly heads: readonly CsvHead[];
  readonly schema: Schema;
  readonly dialect: Dialect;
  readonly options: CsvSourceOptions;
}

async function openAll(spec: ConnectorSpec, tools: Tools): Promise<Opened> {
  const options = optionsOf(spec);
  const dialect = dialectOf(options);
  const heads: CsvHead[] = [];
  for (const path of resolveFiles(tools.disk, options.paths, CSV_FILES)) {
    heads.push(await readCsvHead(path, options, { ...tools, dialect }));
    await tools.turn?.();
  }
  const schema = csvSchema(heads, options, dialect);
  for (const head of heads) checkHead(head, heads[0] as CsvHead, { schema, options });
  return { heads, schema, dialect, options };
}

function checkHead(head: CsvHead, first: CsvHead, against: { schema: Schema; options: CsvSourceOptions }): void {
  const { schema, options } = against;
  if (head.names.length === 0 || head.dataStart >= head.sample.length) if (head.names.length === 0) return;
  const missing = schema.fields.find((field) => !head.names.includes(field.name));
  const has = `it has: ${head.names.join(", ")}`;
  if (missing !== undefined) {
    const reference = options.schema === null ? `${first.path} has it` : "it is declared";
    throw new ConnectorError(
      "schemaMismatch",
      `Cannot read ${head.path}: there is no column "${missing.name}" (${has}), but ${reference}.`,
    );
  }
  const extra =
    options.schema === null ? head.names.find((name) => !schema.fields.some((f) => f.name === name)) : undefined;
  if (extra === undefined) return;
  throw new ConnectorError(
    "schemaMismatch",
    `Cannot read ${head.path}: it has a column "${extra}" that ${first.path} does not have. Declare a schema to read the common columns.`,
  );
}

function estimateRows(heads: readonly CsvHead[]): number {
  let rows = 0;
  for (const { sample, dataStart, fileBytes } of heads) {
    let lines = 0;
    for (let i = dataStart; i < sample.length; i++) if (sample.bytes[i] === 10) lines++;
    rows += lines * (Math.max(fileBytes - dataStart, 0) / Math.max(sample.length - dataStart, 1));
  }
  return Math.round(rows);
}

interface PartContext {
  readonly request: SourceRequest;
  readonly schema: Schema;
  readonly dialect: Dialect;
  readonly tools: Tools;
  readonly options: CsvSourceOptions;
}

async function partsOf(head: CsvHead, context: PartContext): Promise<CsvPart[]> {
  const { request, schema, dialect, tools } = context;
  const types = new Map(schema.fields.map((field) => [field.name, field.type]));
  const columns = request.columns.map((name) => ({
    name,
    index: head.names.indexOf(name),
    type: types.get(name) as DataType,
  }));
  const part = { path: head.path, gzip: isGzip(head.path), width: head.names.length, columns };
  if (part.width === 0) return [];
  if (part.gzip) return [{ ...part, start: head.dataStart, end: Number.MAX_SAFE_INTEGER }];
  const handle = openFile(tools.disk, head.path);
  try {
    const where = { start: head.dataStart, ...(tools.turn === undefined ? {} : { turn: tools.turn }) };
    return (await rowSpans(handle, dialect, where)).map((span) => ({ ...part, ...span }));
  } finally {
    handle.close();
  }
}

/** Small parts share a split; all are one split when `together`: bad rows of all go to one file. */
function groupParts(parts: readonly CsvPart[], together: boolean): Split[] {
  const splits: Split[] = [];
  let group: CsvPart[] = [];
  let bytes = 0;
  const close = () => {
    if (group.length === 0) return;
    splits.push({
      index: splits.length,
      estimatedRows: null,
      estimatedBytes: bytes,
      data: { parts: group } satisfies CsvSplitData,
    });
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
