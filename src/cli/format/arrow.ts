import { IpcWriter } from "../../arrow/mod.ts";
import type { RowWriter, RowWriterOptions } from "./row_writer.ts";

/** Arrow IPC: the stream format into a pipe, the file format into a file. */
export function arrowWriter({ arena, schema, emit, isFile }: RowWriterOptions): RowWriter {
  const writer = new IpcWriter(arena, schema, isFile ? "file" : "stream");
  const emitAll = async (chunks: readonly Uint8Array[]) => {
    for (const chunk of chunks) await emit(chunk);
  };
  return {
    write: (batch) => emitAll(writer.write(batch)),
    end: () => emitAll(writer.finish()),
  };
}
