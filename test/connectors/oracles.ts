import { readFileSync, writeFileSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";
import { type RecordBatch, tableFromIPC, type Vector } from "apache-arrow";
import { type Compressors, parquetReadObjects } from "hyparquet";
import initParquetWasm, {
  readParquet,
  Table,
  WriterPropertiesBuilder,
  writeParquet,
} from "parquet-wasm/esm/parquet_wasm.js";
import type { DataType, Schema } from "../../src/arrow/mod.ts";
import { lz4DecompressBlock } from "../../src/connectors/codec/mod.ts";
import { tools } from "./support.ts";

/** Readers of other projects, each giving rows in `expected.json`'s form. */

/** Flat columns as exact text, whatever their type; floats as they are. */
export async function duckdbRows(path: string, schema: Schema): Promise<unknown[][]> {
  const columns = schema.fields.map((field) => duckdbText(field.name, field.type));
  const rows = await duckdb(`select ${columns.join(", ")} from '${path}'`);
  return rows.map((row) => row.map((cell, i) => (typeof cell === "number" ? number(schema, i, cell) : cell)));
}

export async function duckdb(sql: string): Promise<unknown[][]> {
  const connection = await (await DuckDBInstance.create()).connect();
  try {
    return (await connection.runAndReadAll(sql)).getRows() as unknown[][];
  } finally {
    connection.closeSync();
  }
}

function duckdbText(name: string, type: DataType): string {
  const column = `"${name}"`;
  switch (type.kind) {
    case "dictionary":
      return duckdbText(name, type.value);
    case "date32":
      return `(${column} - date '1970-01-01')::varchar`;
    case "timestamp":
      return type.unit === "nanosecond" ? `epoch_ns(${column})::varchar` : `epoch_us(${column})::varchar`;
    case "time":
      return `date_diff('microsecond', time '00:00:00', ${column})::varchar`;
    case "int64":
    case "uint64":
    case "decimal":
      return `${column}::varchar`;
    case "binary":
      return `lower(hex(${column}))`;
    case "list":
    case "struct":
      return `to_json(${column})::varchar`;
    default:
      return column;
  }
}

function number(schema: Schema, i: number, cell: number): unknown {
  const { kind } = schema.fields[i]?.type ?? {};
  if (kind !== "float32" && kind !== "float64") return cell;
  return Object.is(cell, -0) ? "-0" : Number.isFinite(cell) ? cell : String(cell);
}

const compressors: Compressors = {
  GZIP: (input, bytes) => tools.compression.gunzip(input, bytes),
  ZSTD: (input, bytes) => tools.compression.zstdDecompress(input, bytes),
  BROTLI: (input, bytes) => tools.compression.brotliDecompress(input, bytes),
  LZ4_RAW: (input, bytes) => lz4DecompressBlock(input, bytes),
};

export async function hyparquetRows(path: string, schema: Schema): Promise<unknown[][]> {
  const bytes = readFileSync(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const raw = (value: unknown) => value;
  const parsers = {
    dateFromDays: raw,
    timestampFromMilliseconds: raw,
    timestampFromMicroseconds: raw,
    timestampFromNanoseconds: raw,
  };
  const rows = await parquetReadObjects({ file, compressors, parsers });
  return rows.map((row) => schema.fields.map(({ name, type }, i) => hyparquetCell(type, row[name], { schema, i })));
}

function hyparquetCell(type: DataType, cell: unknown, at: { schema: Schema; i: number }): unknown {
  if (cell === null || cell === undefined) return null;
  if (type.kind === "decimal") return Number(cell).toPrecision(15);
  if (type.kind === "date32" || type.kind === "time") return String(cell);
  if (typeof cell === "bigint") return String(cell);
  return typeof cell === "number" ? number(at.schema, at.i, cell) : cell;
}

let started: Promise<unknown> | null = null;

async function startArrowRs(): Promise<void> {
  const wasm = new URL(import.meta.resolve("parquet-wasm/esm/parquet_wasm_bg.wasm"));
  started ??= initParquetWasm({ module_or_path: readFileSync(wasm) });
  await started;
}

/** The reader of arrow-rs, its vectors taken apart by apache-arrow. */
export async function arrowRsRows(path: string, schema: Schema): Promise<unknown[][]> {
  await startArrowRs();
  return arrowRows(readParquet(readFileSync(path)).intoIPCStream(), schema);
}

/** Writes an Arrow IPC stream as Parquet with arrow-rs: one row group, pages of about `pageBytes`, with a page index. */
export async function writeWithArrowRs(path: string, ipc: Uint8Array, pageBytes: number): Promise<void> {
  await startArrowRs();
  const properties = new WriterPropertiesBuilder()
    .setDataPageSizeLimit(pageBytes)
    .setWriteBatchSize(1000)
    .setMaxRowGroupSize(1 << 30)
    .setColumnDictionaryEnabled("id", false)
    .build();
  writeFileSync(path, writeParquet(Table.fromIPCStream(ipc), properties));
}

/** An Arrow IPC file or stream. */
export function arrowRows(ipc: Uint8Array, schema: Schema): unknown[][] {
  return tableFromIPC(ipc).batches.flatMap((batch: RecordBatch) => {
    const columns = schema.fields.map((_, i) => batch.getChildAt(i) as Vector);
    return Array.from({ length: batch.numRows }, (_, row) =>
      columns.map((column, i) => arrowCell(column, row, { schema, i })),
    );
  });
}

/** From the raw buffers: apache-arrow turns dates and times into less exact numbers. */
function arrowCell(column: Vector, row: number, at: { schema: Schema; i: number }): unknown {
  const type = at.schema.fields[at.i]?.type as DataType;
  const data = column.data[0];
  if (data === undefined || !column.isValid(row)) return null;
  const values = data.values as Int32Array;
  switch (type.kind) {
    case "date32":
    case "timestamp":
    case "time":
      return String(values[row]);
    case "decimal":
      return decimalText(values.subarray(4 * row, 4 * row + 4), type.scale);
    default: {
      const cell: unknown = column.get(row);
      if (typeof cell === "bigint") return String(cell);
      return typeof cell === "number" ? number(at.schema, at.i, cell) : cell;
    }
  }
}

function decimalText(words: Int32Array, scale: number): string {
  let value = BigInt(words[3] as number) | 0n;
  value = BigInt.asIntN(32, value);
  for (let i = 2; i >= 0; i--) value = (value << 32n) | BigInt((words[i] as number) >>> 0);
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, "0");
  const text = `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return value < 0n ? `-${text}` : text;
}
