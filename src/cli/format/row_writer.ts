import type { Arena, Batch, Schema } from "../../arrow/mod.ts";
import { unreachable } from "../../kernel/mod.ts";
import type { Paint } from "../paint.ts";
import type { Format } from "../values.ts";
import { csvWriter } from "./csv.ts";
import { jsonWriter } from "./json.ts";
import { tableWriter } from "./table_writer.ts";

/** Prints the rows of one result. Batches are borrowed: the caller releases them. */
export interface RowWriter {
  write(batch: Batch): Promise<void>;
  /** After the last batch. */
  end(): Promise<void>;
}

export interface RowWriterOptions {
  readonly arena: Arena;
  readonly schema: Schema;
  readonly emit: (chunk: string | Uint8Array) => Promise<void>;
  /** Columns of the terminal for a table; null for as many as needed. */
  readonly width: number | null;
  readonly paint: Paint;
  /** Arrow goes into a file that can be seeked, not into a stream. */
  readonly isFile: boolean;
}

export async function rowWriter(format: Format, options: RowWriterOptions): Promise<RowWriter> {
  switch (format) {
    case "table":
      return tableWriter(options);
    case "json":
      return jsonWriter(options);
    case "csv":
      return csvWriter(options);
    case "arrow":
      return (await import("./arrow.ts")).arrowWriter(options);
    default:
      return unreachable(format);
  }
}
