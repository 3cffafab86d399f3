import {
  type Arena,
  type Batch,
  type Cell,
  columnReader,
  type DataType,
  formatCell,
  type Schema,
} from "../../arrow/mod.ts";
import type { JsonSinkOptions } from "../../stream/mod.ts";
import type { Sink } from "../contract.ts";
import { type FileEncoder, FileSinkWriter, GzipEncoder } from "../file_output.ts";

/**
 * One object a line. Integers and decimals are numbers with all their digits; NaN and infinities, which JSON does not
 * have, and dates, times and bytes (hexadecimal) are texts.
 */
export const jsonSink: Sink = {
  open(spec, schema, context) {
    const options = spec.options as unknown as JsonSinkOptions; // written by `Stream.toJson`
    return new FileSinkWriter(options.path, context, () => {
      const encoder = new JsonEncoder(context.arena, schema);
      return options.compression === "gzip" ? new GzipEncoder(encoder, context) : encoder;
    });
  },
};

const PIECE_ROWS = 4096;

class JsonEncoder implements FileEncoder {
  private readonly arena: Arena;
  private readonly schema: Schema;
  private readonly text = new TextEncoder();

  constructor(arena: Arena, schema: Schema) {
    this.arena = arena;
    this.schema = schema;
  }

  write(batch: Batch): readonly Uint8Array[] {
    const pieces: Uint8Array[] = [];
    const columns = batch.columns.map((column, i) => {
      const { name, type } = this.schema.fields[i] as Schema["fields"][number];
      const key = `${i === 0 ? "{" : ","}${JSON.stringify(name)}:`;
      const read = columnReader(this.arena, column);
      return (row: number) => key + jsonText(type, read(row));
    });
    for (let start = 0; start < batch.rowCount; start += PIECE_ROWS) {
      const end = Math.min(start + PIECE_ROWS, batch.rowCount);
      let text = "";
      for (let row = start; row < end; row++) {
        if (columns.length === 0) text += "{";
        for (const column of columns) text += column(row);
        text += "}\n";
      }
      pieces.push(this.text.encode(text));
    }
    return pieces;
  }

  finish(): readonly Uint8Array[] {
    return [];
  }

  close(): void {}
}

/** A cell as JSON text. */
export function jsonText(type: DataType, cell: Cell): string {
  if (cell === null) return "null";
  switch (type.kind) {
    case "dictionary":
      return jsonText(type.value, cell);
    case "float32":
    case "float64":
      return floatText(cell as number);
    case "bool":
    case "decimal":
      return String(cell as boolean | string);
    case "int8":
    case "int16":
    case "int32":
    case "int64":
    case "uint8":
    case "uint16":
    case "uint32":
    case "uint64":
      return String(cell as number | bigint);
    case "list":
      return `[${(cell as readonly Cell[]).map((item) => jsonText(type.item.type, item)).join(",")}]`;
    case "struct": {
      const row = cell as { readonly [name: string]: Cell };
      return `{${type.fields.map((f) => `${JSON.stringify(f.name)}:${jsonText(f.type, row[f.name] ?? null)}`).join(",")}}`;
    }
    default:
      return JSON.stringify(typeof cell === "string" ? cell : formatCell(type, cell));
  }
}

function floatText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? "-0" : String(value);
}
