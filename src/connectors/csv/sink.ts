import {
  type Arena,
  type Batch,
  columnReader,
  type DataType,
  type Field,
  formatCell,
  type Schema,
  typeName,
} from "../../arrow/mod.ts";
import type { CsvSinkOptions } from "../../stream/mod.ts";
import type { Sink } from "../contract.ts";
import { ConnectorError } from "../error.ts";
import { type FileEncoder, FileSinkWriter, GzipEncoder } from "../file_output.ts";

/** One CSV file (RFC 4180): fields in quotes where they hold a delimiter, quote, line break, or would read as null. */
export const csvSink: Sink = {
  open(spec, schema, context) {
    const options = spec.options as unknown as CsvSinkOptions; // written by `Stream.toCsv`
    for (const field of schema.fields) checkType(field);
    return new FileSinkWriter(options.path, context, () => {
      const encoder = new CsvEncoder(context.arena, schema, options);
      return options.compression === "gzip" ? new GzipEncoder(encoder, context) : encoder;
    });
  },
};

function checkType(field: Field): void {
  if (field.type.kind !== "list" && field.type.kind !== "struct") return;
  throw new ConnectorError(
    "unsupported",
    `Cannot write column "${field.name}" as CSV: it is ${typeName(field.type)}. Unnest it, take its fields, or write JSON.`,
  );
}

const PIECE_ROWS = 4096;

class CsvEncoder implements FileEncoder {
  private readonly arena: Arena;
  private readonly schema: Schema;
  private readonly options: CsvSinkOptions;
  private readonly special: RegExp;
  private readonly text = new TextEncoder();
  private started = false;

  constructor(arena: Arena, schema: Schema, options: CsvSinkOptions) {
    this.arena = arena;
    this.schema = schema;
    this.options = options;
    const characters = [options.delimiter, options.quote].map((c) => c.replace(/[\\^\]-]/g, "\\$&")).join("");
    this.special = new RegExp(`[${characters}\\r\\n]|^\\s|\\s$`);
  }

  write(batch: Batch): readonly Uint8Array[] {
    const pieces = this.header();
    const { delimiter, newline } = this.options;
    const cells = batch.columns.map((column, i) => {
      const read = columnReader(this.arena, column);
      const type = this.schema.fields[i]?.type as DataType;
      return (row: number) => this.cell(type, read(row));
    });
    for (let start = 0; start < batch.rowCount; start += PIECE_ROWS) {
      const end = Math.min(start + PIECE_ROWS, batch.rowCount);
      let text = "";
      for (let row = start; row < end; row++) {
        for (let c = 0; c < cells.length; c++)
          text += (c === 0 ? "" : delimiter) + (cells[c] as (row: number) => string)(row);
        text += newline;
      }
      pieces.push(this.text.encode(text));
    }
    return pieces;
  }

  finish(): readonly Uint8Array[] {
    return this.header();
  }

  close(): void {}

  private header(): Uint8Array[] {
    if (this.started) return [];
    this.started = true;
    if (!this.options.header) return [];
    const names = this.schema.fields.map((field) => this.quoted(field.name));
    return [this.text.encode(names.join(this.options.delimiter) + this.options.newline)];
  }

  private cell(type: DataType, cell: ReturnType<ReturnType<typeof columnReader>>): string {
    if (cell === null) return this.options.null;
    return this.quoted(typeof cell === "string" ? cell : formatCell(type, cell));
  }

  private quoted(text: string): string {
    const { quote, null: nullText } = this.options;
    if (text !== nullText && text !== "" && !this.special.test(text)) return text;
    return quote + text.replaceAll(quote, quote + quote) + quote;
  }
}
