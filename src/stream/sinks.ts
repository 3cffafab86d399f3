import { type ConnectorSpec, type LogicalNode, type LogicalSink, PlanError } from "../plan/mod.ts";
import type { ArrowSinkOptions, CsvSinkOptions, JsonSinkOptions, ParquetSinkOptions } from "./connector_options.ts";
import { Dataflow } from "./dataflow.ts";
import { type RunOptions, type RunSummary, runner } from "./runner.ts";

export type ParquetWriteOptions = Partial<Omit<ParquetSinkOptions, "path">>;
export type CsvWriteOptions = Partial<Omit<CsvSinkOptions, "path">>;
export type JsonWriteOptions = Partial<Omit<JsonSinkOptions, "path">>;
export type ArrowWriteOptions = Partial<Omit<ArrowSinkOptions, "path">>;

/** A stream that ends in a file. The file appears under its name when the whole job has succeeded. */
export class Sink {
  readonly node: LogicalSink;

  constructor(node: LogicalSink) {
    this.node = node;
  }

  /** Runs the dataflow now, from a program. */
  run(options: RunOptions = {}): Promise<RunSummary> {
    return runner().run(Dataflow.of("sink", [this.node]), options);
  }
}

function sinkTo(input: LogicalNode, connector: string, options: { readonly path: string }): Sink {
  const sink: ConnectorSpec = Object.freeze({ connector, options: Object.freeze({ ...options }) });
  return new Sink(Object.freeze({ kind: "sink", input, sink }));
}

/** Also for those who write without types. */
function mustBePath(path: unknown, operator: string): void {
  if (typeof path === "string" && path !== "") return;
  throw new PlanError("argument", `${operator} needs the path of a file: ${operator}("rows.…").`);
}

const CODECS: readonly ParquetSinkOptions["codec"][] = ["zstd", "snappy", "gzip", "lz4", "brotli", "none"];

export function parquetSink(input: LogicalNode, path: string, options: ParquetWriteOptions): Sink {
  mustBePath(path, "toParquet");
  const { codec = "zstd", rowGroupRows = 1_048_576 } = options;
  if (!CODECS.includes(codec)) {
    throw new PlanError("argument", `toParquet: "${codec}" is no codec. Codecs: ${CODECS.join(", ")}.`);
  }
  if (!Number.isSafeInteger(rowGroupRows) || rowGroupRows < 1) {
    throw new PlanError("argument", `toParquet: rowGroupRows must be a whole number from 1 on, not ${rowGroupRows}.`);
  }
  const full: ParquetSinkOptions = { path, codec, rowGroupRows };
  return sinkTo(input, "parquet", full);
}

function compressionFor(path: string): "none" | "gzip" {
  return path.endsWith(".gz") ? "gzip" : "none";
}

export function csvSink(input: LogicalNode, path: string, options: CsvWriteOptions): Sink {
  mustBePath(path, "toCsv");
  const defaults: CsvSinkOptions = {
    path,
    delimiter: ",",
    quote: '"',
    header: true,
    null: "",
    newline: "\n",
    compression: compressionFor(path),
  };
  return sinkTo(input, "csv", { ...defaults, ...options, path });
}

export function jsonSink(input: LogicalNode, path: string, options: JsonWriteOptions): Sink {
  mustBePath(path, "toJson");
  const full: JsonSinkOptions = { path, compression: options.compression ?? compressionFor(path) };
  return sinkTo(input, "json", full);
}

export function arrowSink(input: LogicalNode, path: string, options: ArrowWriteOptions): Sink {
  mustBePath(path, "toArrow");
  const full: ArrowSinkOptions = { path, format: options.format ?? "file" };
  return sinkTo(input, "arrow", full);
}
