/** Files that jobs of the simulator read: each batch of them can be read by a task of its own, however small it is. */

import {
  Arena,
  batchFromRows,
  type CellInput,
  field,
  IpcWriter,
  int64,
  releaseBatch,
  type Schema,
  schema,
  utf8,
} from "../../arrow/mod.ts";
import { joinBytes } from "../../kernel/mod.ts";

export const INPUT_FILES = 12;
const FILE_ROWS = 60;
const NAMES = ["ada", "bob", "cy", "dee", "eve"];
const ARENA_BYTES = 16 << 20;
const OWNER = 0;

type Row = Readonly<Record<string, CellInput>>;

let known: readonly (readonly [path: string, bytes: Uint8Array])[] | null = null;

/** Path and content of each; made once a process. */
export function inputFiles(): readonly (readonly [path: string, bytes: Uint8Array])[] {
  const of = schema([field("id", int64, false), field("x", int64, false), field("name", utf8, false)]);
  known ??= Array.from({ length: INPUT_FILES }, (_, file) => {
    const rows = Array.from({ length: FILE_ROWS }, (_row, row) => {
      const id = file * FILE_ROWS + row;
      return { id: BigInt(id), x: BigInt((id * 7_919) % 1_009), name: NAMES[(id * 31) % NAMES.length] ?? "" };
    });
    return [inputPath(file), arrowFile(of, [rows])];
  });
  return known;
}

export function inputPath(file: number): string {
  return `/shared/in/part-${file}.arrow`;
}

/** An Arrow file of these batches. */
export function arrowFile(of: Schema, batches: readonly (readonly Row[])[]): Uint8Array {
  const arena = Arena.create({ limitBytes: ARENA_BYTES });
  const writer = new IpcWriter(arena, of, "file");
  const chunks: Uint8Array[] = [];
  for (const rows of batches) {
    const batch = batchFromRows(arena, of, rows, OWNER);
    chunks.push(...writer.write(batch));
    releaseBatch(arena, batch);
  }
  chunks.push(...writer.finish());
  return joinBytes(chunks);
}
