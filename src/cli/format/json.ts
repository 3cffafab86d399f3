import { type Cell, columnReader, type DataType, formatCell, valueType } from "../../arrow/mod.ts";
import { unreachable } from "../../kernel/mod.ts";
import { LineBuffer } from "./line_buffer.ts";
import type { RowWriter, RowWriterOptions } from "./row_writer.ts";

/**
 * JSON lines, exact: integers of every width and decimals are numbers with all their digits; NaN, Infinity and
 * -Infinity, which JSON lacks, are strings; dates, times and durations ISO 8601 strings; bytes hexadecimal strings.
 */
export function jsonWriter({ arena, schema, emit }: RowWriterOptions): RowWriter {
  const buffer = new LineBuffer(emit);
  const prefixes = schema.fields.map((field, index) => `${index === 0 ? "{" : ","}${JSON.stringify(field.name)}:`);
  return {
    async write(batch) {
      const columns = batch.columns.map((column, index) => {
        const type = schema.fields[index]?.type ?? column.type;
        const read = columnReader(arena, column);
        const prefix = prefixes[index] ?? "";
        return (row: number) => prefix + jsonOf(type, read(row));
      });
      for (let row = 0; row < batch.rowCount; row++) {
        let line = columns.length === 0 ? "{" : "";
        for (const column of columns) line += column(row);
        buffer.add(`${line}}\n`);
        if (buffer.isFull) await buffer.flush();
      }
    },
    end: () => buffer.flush(),
  };
}

function jsonOf(type: DataType, cell: Cell): string {
  if (cell === null) return "null";
  const value = valueType(type);
  switch (value.kind) {
    case "null":
      return "null";
    case "bool":
    case "int8":
    case "int16":
    case "int32":
    case "int64":
    case "uint8":
    case "uint16":
    case "uint32":
    case "uint64":
    case "decimal":
      return formatCell(value, cell);
    case "float32":
    case "float64":
      return Number.isFinite(cell) ? formatCell(value, cell) : `"${formatCell(value, cell)}"`;
    case "utf8":
    case "largeUtf8":
      return JSON.stringify(cell);
    case "binary":
    case "largeBinary":
    case "fixedSizeBinary":
    case "date32":
    case "timestamp":
    case "time":
    case "duration":
      return `"${formatCell(value, cell)}"`;
    case "list":
      return `[${(cell as readonly Cell[]).map((item) => jsonOf(value.item.type, item)).join(",")}]`;
    case "struct": {
      const row = cell as { readonly [name: string]: Cell };
      const fields = value.fields.map((f) => `${JSON.stringify(f.name)}:${jsonOf(f.type, row[f.name] ?? null)}`);
      return `{${fields.join(",")}}`;
    }
    default:
      return unreachable(value);
  }
}
