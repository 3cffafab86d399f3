import {
  type Batch,
  type ByteSource,
  type Decompress,
  IpcReader,
  releaseBatch,
  type Schema,
  sliceBatch,
  withSchema,
} from "../../arrow/mod.ts";
import type { Compression, ReadHandle } from "../../kernel/mod.ts";
import type { ConnectorSpec } from "../../plan/mod.ts";
import type { ArrowSourceOptions } from "../../stream/mod.ts";
import type { Source, SourceContext, SourceRequest, Split, SplitReader, Tools } from "../contract.ts";
import { asConnectorError } from "../error.ts";
import { commonSchema, type FileKind, openFile, resolveFiles } from "../files.ts";
import { schemaArena } from "../schema_arena.ts";

export const ARROW_FILES: FileKind = { what: "Arrow IPC", endings: [".arrow", ".arrows", ".feather", ".ipc"] };

/** Files of more batches are cut into so many splits at most. */
const SPLITS_PER_FILE_MAX = 64;

interface SplitData {
  readonly path: string;
  readonly schema: Schema;
  /** Batches of a file, end excluded; null: a stream, read from its start. */
  readonly batches: { readonly start: number; readonly end: number } | null;
}

export const arrowSource: Source = {
  async describe(spec, tools) {
    const files = await openAll(spec, tools);
    const schema = commonSchema(files, optionsOf(spec).schema);
    return { schema, rowCount: null, rowCountExact: false, files: files.map((file) => file.path) };
  },

  async splits(spec, request, tools) {
    const files = await openAll(spec, tools);
    const { fields } = commonSchema(files, optionsOf(spec).schema);
    const schema = { fields: request.columns.flatMap((name) => fields.filter((field) => field.name === name)) };
    const splits: Split[] = [];
    for (const { path, batchCount, fileBytes } of files) {
      const add = (batches: SplitData["batches"], estimatedBytes: number) => {
        const data: SplitData = { path, schema, batches };
        splits.push({ index: splits.length, estimatedRows: null, estimatedBytes, data });
      };
      if (batchCount === null) add(null, fileBytes);
      else {
        const step = Math.ceil(batchCount / SPLITS_PER_FILE_MAX);
        for (let start = 0; start < batchCount; start += step) {
          const end = Math.min(start + step, batchCount);
          add({ start, end }, Math.ceil((fileBytes * (end - start)) / batchCount));
        }
      }
    }
    return splits;
  },

  open(_spec, request, split, context) {
    return new ArrowReader(split.data as SplitData, request, context);
  },
};

function optionsOf(spec: ConnectorSpec): ArrowSourceOptions {
  return spec.options as unknown as ArrowSourceOptions; // written by `Stream.fromArrow`
}

interface ArrowFile {
  readonly path: string;
  readonly schema: Schema;
  readonly batchCount: number | null;
  readonly fileBytes: number;
}

/** Reads schemas only: nothing is put into the arena. */
async function openAll(spec: ConnectorSpec, tools: Tools): Promise<ArrowFile[]> {
  const options = optionsOf(spec);
  const columns = options.schema?.fields.map((field) => field.name);
  const files: ArrowFile[] = [];
  for (const path of resolveFiles(tools.disk, options.paths, ARROW_FILES)) {
    files.push(openOne(path, columns, tools));
    await tools.turn?.();
  }
  return files;
}

function openOne(path: string, columns: readonly string[] | undefined, tools: Tools): ArrowFile {
  const handle = openFile(tools.disk, path);
  try {
    const options = columns === undefined ? { owner: 0 } : { owner: 0, columns };
    const reader = new IpcReader(schemaArena(), handleSource(handle), options);
    return { path, schema: reader.schema, batchCount: reader.batchCount, fileBytes: handle.bytes };
  } catch (cause) {
    throw inFile(cause, path);
  } finally {
    handle.close();
  }
}

/** Errors of the format get the file's name; what is no failure of the file (memory) stays. */
function inFile(cause: unknown, path: string): unknown {
  const code = (cause as { code?: unknown } | null)?.code;
  if (code === "corrupt" || code === "unsupported" || code === "type") {
    const message = new Error((cause as Error).message, { cause });
    return asConnectorError(message, code === "type" ? "schemaMismatch" : code, () => `Cannot read ${path}`);
  }
  return asConnectorError(cause, "corrupt", () => `Cannot read ${path}`);
}

function handleSource(handle: ReadHandle): ByteSource {
  return {
    size: handle.bytes,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      if (handle.readAt(offset, bytes, length) !== length)
        throw new RangeError("the file became shorter while it was read");
      return bytes;
    },
  };
}

function decompressWith(compression: Compression): Decompress | undefined {
  return ((codec, input, outputBytes) => {
    if (codec === "zstd") return compression.zstdDecompress(input, outputBytes);
    throw new RangeError(`codec ${codec} is not known here`);
  }) satisfies Decompress;
}

class ArrowReader implements SplitReader {
  private readonly data: SplitData;
  private readonly context: SourceContext;
  private readonly columns: readonly string[];
  private handle: ReadHandle | null = null;
  private reader: IpcReader | null = null;
  private nextBatch: number;
  /** A batch longer than was asked for, and how much of it was given. */
  private rest: { readonly batch: Batch; row: number } | null = null;
  private rowsRead = 0;
  private closed = false;

  constructor(data: SplitData, request: SourceRequest, context: SourceContext) {
    this.data = data;
    this.context = context;
    this.columns = request.columns;
    this.nextBatch = data.batches?.start ?? 0;
  }

  read(maxRows: number): Batch | null {
    if (this.closed || this.context.signal.aborted) return null;
    try {
      const batch = this.rest === null ? this.load() : this.rest.batch;
      return batch === null ? null : this.give(batch, maxRows);
    } catch (cause) {
      throw inFile(cause, this.data.path);
    }
  }

  private give(batch: Batch, maxRows: number): Batch {
    const { arena, owner } = this.context;
    const start = this.rest?.row ?? 0;
    const end = Math.min(start + maxRows, batch.rowCount);
    this.rowsRead += end - start;
    if (start === 0 && end === batch.rowCount) return batch;
    this.rest ??= { batch, row: start };
    const slice = sliceBatch(arena, batch, start, end, owner);
    this.rest.row = end;
    if (end === batch.rowCount) {
      this.rest = null;
      releaseBatch(arena, batch);
    }
    return slice;
  }

  private load(): Batch | null {
    const { arena, owner, compression, disk } = this.context;
    this.handle ??= openFile(disk, this.data.path);
    const decompress = decompressWith(compression);
    const options = { owner, columns: this.columns, ...(decompress === undefined ? {} : { decompress }) };
    this.reader ??= new IpcReader(arena, handleSource(this.handle), options);
    const { batches } = this.data;
    for (;;) {
      if (batches !== null && this.nextBatch >= batches.end) return null;
      const batch = batches === null ? this.reader.next() : this.reader.readBatch(this.nextBatch++);
      if (batch === null) return null;
      if (batch.rowCount > 0) return withSchema(batch, this.data.schema);
      releaseBatch(arena, batch);
    }
  }

  position(): unknown {
    return { rows: this.rowsRead };
  }

  close(): void {
    this.closed = true;
    if (this.rest !== null) releaseBatch(this.context.arena, this.rest.batch);
    this.rest = null;
    this.reader?.close();
    this.reader = null;
    this.handle?.close();
    this.handle = null;
  }
}
