import type { Cell, DataType, Schema } from "../arrow/mod.ts";

/**
 * The `options` of each `ConnectorSpec.connector`, as `Stream` writes them and connectors read them: plain,
 * structured-cloneable data. Every property is present unless marked optional; defaults are filled in by `Stream`.
 *
 * Paths of sources are files, directories (all files of the kind in it) or globs (`*`, `**`, `?`, `{a,b}`, `[a-z]`);
 * relative ones count from the current directory. A sink's path is one file.
 */

/** What a source does with a row that does not fit: stop with an error, leave it out and count it, or write it to a file. */
export type BadRowPolicy = "fail" | "skip" | { readonly path: string };

/** `connector: "parquet"` as a source. */
export interface ParquetSourceOptions {
  readonly paths: readonly string[];
  /** Declared columns: read only these, and they must have these types; null takes the files' own. */
  readonly schema: Schema | null;
}

export type ParquetCodec = "zstd" | "snappy" | "gzip" | "lz4" | "brotli" | "none";

/** `connector: "parquet"` as a sink. */
export interface ParquetSinkOptions {
  readonly path: string;
  /** Default "zstd". */
  readonly codec: ParquetCodec;
  /** Rows of a row group, default 1,048,576. */
  readonly rowGroupRows: number;
}

/** `connector: "csv"` as a source. UTF-8, with or without a byte order mark; `.gz` files are unpacked. */
export interface CsvSourceOptions {
  readonly paths: readonly string[];
  /** Declared columns, matched by name when there is a header, else by position; null infers them. */
  readonly schema: Schema | null;
  /** One ASCII character, default ",". */
  readonly delimiter: string;
  /** One ASCII character, default '"'; null: no quoting. */
  readonly quote: string | null;
  /** The character before a quote inside quotes; default null: a quote is doubled. */
  readonly escape: string | null;
  /** Whether the first line names the columns, default true. Without: `column1`, `column2`, … or the declared names. */
  readonly header: boolean;
  /** Unquoted fields that are null, default [""] . */
  readonly nulls: readonly string[];
  /** Lines before the header (or first row) to leave out, default 0. */
  readonly skipRows: number;
  /** Lines that start with it are left out; default null. */
  readonly comment: string | null;
  /** Default "fail". */
  readonly onBadRow: BadRowPolicy;
  /** Rows looked at to infer types, default 1,000. */
  readonly inferRows: number;
}

/** `connector: "csv"` as a sink: RFC 4180, fields quoted where they must be. */
export interface CsvSinkOptions {
  readonly path: string;
  /** Default ",". */
  readonly delimiter: string;
  /** Default '"'. */
  readonly quote: string;
  /** Default true. */
  readonly header: boolean;
  /** What is written for null, default "". */
  readonly null: string;
  /** Default "\n". */
  readonly newline: "\n" | "\r\n";
  /** Default "none". */
  readonly compression: "none" | "gzip";
}

/** `connector: "json"` as a source: one object a line, or one top-level array of objects. `.gz` files are unpacked. */
export interface JsonSourceOptions {
  readonly paths: readonly string[];
  /** Declared columns; properties not declared are left out, missing ones are null. Null infers them. */
  readonly schema: Schema | null;
  /** Default "fail". */
  readonly onBadRow: BadRowPolicy;
  /** Rows looked at to infer types, default 1,000. */
  readonly inferRows: number;
}

/** `connector: "json"` as a sink: one object a line. */
export interface JsonSinkOptions {
  readonly path: string;
  /** Default "none". */
  readonly compression: "none" | "gzip";
}

/** `connector: "arrow"` as a source: IPC file or stream, told apart by the bytes. */
export interface ArrowSourceOptions {
  readonly paths: readonly string[];
  /** As for Parquet. */
  readonly schema: Schema | null;
}

/** `connector: "arrow"` as a sink. */
export interface ArrowSinkOptions {
  readonly path: string;
  /** Default "file". */
  readonly format: "file" | "stream";
}

/** `connector: "rows"`: the rows themselves, cells in the schema's order and of the kinds `BatchBuilder` takes. */
export interface RowsSourceOptions {
  readonly schema: Schema;
  readonly rows: readonly (readonly Cell[])[];
}

/**
 * How a generated column gets its values. Random kinds depend on seed, column position and row number alone, so that any
 * split gives the same values.
 */
export type GeneratedColumn =
  /** start + row · step, int64 by default; any integer, float or date type. */
  | { readonly kind: "sequence"; readonly start: number; readonly step: number }
  /** Uniform, min ≤ x ≤ max for integers, min ≤ x < max for floats; float64 from 0 to 1 by default. */
  | { readonly kind: "random"; readonly min: number; readonly max: number }
  /** One of the values, each as likely. */
  | { readonly kind: "choice"; readonly values: readonly (string | number | bigint | boolean)[] }
  /** Lower-case ASCII letters; length uniform between the two, both included. */
  | { readonly kind: "text"; readonly minLength: number; readonly maxLength: number }
  /** The same value in every row. */
  | { readonly kind: "constant"; readonly value: Cell };

export interface GeneratedColumnOptions {
  readonly name: string;
  readonly type: DataType;
  readonly values: GeneratedColumn;
  /** Share of rows that are null, 0 … 1; the column is nullable when it is above 0. */
  readonly nullFraction: number;
}

/** `connector: "generate"`. */
export interface GenerateSourceOptions {
  readonly rows: number;
  readonly seed: number;
  readonly columns: readonly GeneratedColumnOptions[];
}
