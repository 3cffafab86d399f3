import { type ConnectorSpec, type LogicalScan, PlanError } from "../plan/mod.ts";
import type {
  ArrowSourceOptions,
  BadRowPolicy,
  CsvSourceOptions,
  JsonSourceOptions,
  ParquetSourceOptions,
} from "./connector_options.ts";
import { optionalSchema } from "./schema.ts";
import type { SchemaInput } from "./types.ts";

/** A file, directory or glob, or several. */
export type PathsInput = string | readonly string[];

/** A schema that TypeScript then knows; without one the file tells the columns when the job starts. */
export interface SchemaOption<S> {
  readonly schema?: S;
}

export interface CsvReadOptions<S = SchemaInput> extends SchemaOption<S> {
  /** Default ",". */
  readonly delimiter?: string;
  /** Default '"'; null: no quoting. */
  readonly quote?: string | null;
  /** Character before a quote inside quotes; default null: the quote is doubled. */
  readonly escape?: string | null;
  /** Whether the first line names the columns; default true. */
  readonly header?: boolean;
  /** Unquoted fields that mean null; default [""]. */
  readonly nulls?: readonly string[];
  /** Lines to leave out at the start; default 0. */
  readonly skipRows?: number;
  /** Lines that start with it are left out. */
  readonly comment?: string | null;
  /** A line that does not fit: "fail" (default), "skip", or { path } of a file that gets it. */
  readonly onBadRow?: BadRowPolicy;
  /** Rows looked at to infer types; default 1,000. */
  readonly inferRows?: number;
}

export interface JsonReadOptions<S = SchemaInput> extends SchemaOption<S> {
  readonly onBadRow?: BadRowPolicy;
  readonly inferRows?: number;
}

function pathList(paths: PathsInput, source: string): readonly string[] {
  const list: readonly unknown[] = Array.isArray(paths) ? paths : [paths];
  if (list.length === 0 || list.some((p) => typeof p !== "string" || p === "")) {
    throw new PlanError("argument", `${source} needs the path of a file, directory or glob.`);
  }
  return list as readonly string[]; // as checked
}

export function scan(connector: string, options: object): LogicalScan {
  const source: ConnectorSpec = Object.freeze({ connector, options: Object.freeze({ ...options }) });
  return Object.freeze({ kind: "scan", source });
}

export function parquetScan(paths: PathsInput, options: SchemaOption<SchemaInput>): LogicalScan {
  const full: ParquetSourceOptions = { paths: pathList(paths, "fromParquet"), schema: optionalSchema(options.schema) };
  return scan("parquet", full);
}

export function arrowScan(paths: PathsInput, options: SchemaOption<SchemaInput>): LogicalScan {
  const full: ArrowSourceOptions = { paths: pathList(paths, "fromArrow"), schema: optionalSchema(options.schema) };
  return scan("arrow", full);
}

function oneCharacter(value: string | null, option: string): void {
  const code = value?.charCodeAt(0) ?? 0;
  if (value === null || (value.length === 1 && code > 0 && code < 0x80 && value !== "\n" && value !== "\r")) return;
  throw new PlanError("argument", `fromCsv: ${option} must be one ASCII character, not ${JSON.stringify(value)}.`);
}

function wholeNumber(value: number, option: string, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new PlanError("argument", `${option} must be a whole number from ${least} on, not ${value}.`);
}

export function csvScan(paths: PathsInput, options: CsvReadOptions): LogicalScan {
  const { delimiter = ",", quote = '"', escape = null, header = true, nulls = [""] } = options;
  const { skipRows = 0, comment = null, onBadRow = "fail", inferRows = 1000 } = options;
  oneCharacter(delimiter, "delimiter");
  oneCharacter(quote, "quote");
  oneCharacter(escape, "escape");
  wholeNumber(skipRows, "fromCsv: skipRows", 0);
  wholeNumber(inferRows, "fromCsv: inferRows", 1);
  const places = { paths: pathList(paths, "fromCsv"), schema: optionalSchema(options.schema) };
  const full: CsvSourceOptions = {
    ...places,
    delimiter,
    quote,
    escape,
    header,
    nulls,
    skipRows,
    comment,
    onBadRow,
    inferRows,
  };
  return scan("csv", full);
}

export function jsonScan(paths: PathsInput, options: JsonReadOptions): LogicalScan {
  const { onBadRow = "fail", inferRows = 1000 } = options;
  wholeNumber(inferRows, "fromJson: inferRows", 1);
  const places = { paths: pathList(paths, "fromJson"), schema: optionalSchema(options.schema) };
  const full: JsonSourceOptions = { ...places, onBadRow, inferRows };
  return scan("json", full);
}
