import { columnReader, formatCell } from "../../arrow/mod.ts";
import { LineBuffer } from "./line_buffer.ts";
import type { RowWriter, RowWriterOptions } from "./row_writer.ts";

/**
 * CSV with the quoting of RFC 4180 and lines that end in a line feed. Null is an empty field, the empty text `""`;
 * numbers are exact, dates ISO 8601.
 */
export function csvWriter({ arena, schema, emit }: RowWriterOptions): RowWriter {
  const buffer = new LineBuffer(emit);
  buffer.add(`${schema.fields.map((field) => quoted(field.name)).join(",")}\n`);
  return {
    async write(batch) {
      const columns = batch.columns.map((column, index) => {
        const type = schema.fields[index]?.type ?? column.type;
        const read = columnReader(arena, column);
        return (row: number) => {
          const cell = read(row);
          return cell === null ? "" : quoted(formatCell(type, cell));
        };
      });
      for (let row = 0; row < batch.rowCount; row++) {
        let line = "";
        for (let index = 0; index < columns.length; index++) line += (index === 0 ? "" : ",") + columns[index]?.(row);
        // A single null column would be an empty line, which readers skip.
        buffer.add(`${line === "" ? '""' : line}\n`);
        if (buffer.isFull) await buffer.flush();
      }
    },
    end: () => buffer.flush(),
  };
}

const MUST_QUOTE = /[",\r\n]/;

function quoted(text: string): string {
  if (text === "") return '""';
  return MUST_QUOTE.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text;
}
