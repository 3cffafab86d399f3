import { columnReader, type DataType, formatCell, isNumeric, isTemporal, typeName } from "../../arrow/mod.ts";
import type { RowWriter, RowWriterOptions } from "./row_writer.ts";
import { printable, renderTable, type TableColumn } from "./table.ts";

const EDGE_ROWS = 20;
/** Results up to this are shown whole; of longer ones the first and last `EDGE_ROWS`. */
const SHOWN_ROWS_MAX = 2 * EDGE_ROWS;
/** Longer cells are cut before they are measured. */
const CELL_CHARACTERS_MAX = 4_096;

/** A table for people: the first and last rows, columns aligned by type, cut to the terminal's width. */
export function tableWriter({ arena, schema, emit, width, paint }: RowWriterOptions): RowWriter {
  const columns = schema.fields.map(
    (field): TableColumn => ({
      name: printable(field.name),
      type: typeName(field.type),
      align: isNumeric(field.type) ? "right" : "left",
      isWhole: isNumeric(field.type) || isTemporal(field.type),
    }),
  );
  const head: (string | null)[][] = [];
  let tail: (string | null)[][] = [];
  let rowCount = 0;
  return {
    async write(batch) {
      const readers = batch.columns.map((column, index) => {
        const type = schema.fields[index]?.type ?? column.type;
        const read = columnReader(arena, column);
        return (row: number) => cellText(type, read(row));
      });
      const texts = (row: number) => readers.map((reader) => reader(row));
      let row = 0;
      for (; row < batch.rowCount && head.length < SHOWN_ROWS_MAX; row++) head.push(texts(row));
      for (row = Math.max(row, batch.rowCount - EDGE_ROWS); row < batch.rowCount; row++) tail.push(texts(row));
      tail = tail.slice(-EDGE_ROWS);
      rowCount += batch.rowCount;
    },
    async end() {
      const isWhole = rowCount <= SHOWN_ROWS_MAX;
      await emit(
        renderTable({
          columns,
          head: isWhole ? head : head.slice(0, EDGE_ROWS),
          tail: isWhole ? [] : [...head, ...tail].slice(-EDGE_ROWS),
          rowCount,
          width,
          paint,
        }),
      );
    },
  };
}

function cellText(type: DataType, cell: Parameters<typeof formatCell>[1]): string | null {
  return cell === null ? null : printable(formatCell(type, cell).slice(0, CELL_CHARACTERS_MAX));
}
