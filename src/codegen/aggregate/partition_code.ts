/** Writing rows to partitions: each of them has a stage, which is copied to its chunk when it is full. */
import { i32, kernel, type Local, v128 } from "../../wasm/mod.ts";
import type { EntryCode } from "./accumulator.ts";
import type { KeyParts } from "./key_field.ts";
import { newPartitionChunk, PARTITION_BITS, PartitionCursor } from "./memory_layout.ts";
import { type RowLayout, storeRow } from "./row_layout.ts";

/** Copies a full stage to its partition's chunk. */
const emptyStage = kernel("emptyStage", { params: { cursor: "i32" }, results: [] }, (f) => {
  const { cursor } = f.params;
  const from = f.local("i32", "from");
  const to = f.local("i32", "to");
  const bytes = f.local("i32", "bytes");
  f.if(i32.ge_u(i32.load(cursor, PartitionCursor.chunkNext), i32.load(cursor, PartitionCursor.chunkEnd)), () =>
    f.emit(newPartitionChunk.call(cursor)),
  );
  f.set(from, i32.load(cursor, PartitionCursor.stage));
  f.set(to, i32.load(cursor, PartitionCursor.chunkNext));
  f.set(bytes, i32.sub(i32.load(cursor, PartitionCursor.stageEnd), from));
  f.emit(i32.store(cursor, i32.add(to, bytes), PartitionCursor.chunkNext));
  // Entries are multiples of 8 bytes; what is copied beyond the last is overwritten later or lies in slack.
  f.loop((again) => {
    f.emit(v128.store(to, v128.load(from)));
    f.emit(v128.store(to, v128.load(from, 16), 16));
    f.set(from, i32.add(from, 32));
    f.set(to, i32.add(to, 32));
    f.set(bytes, i32.sub(bytes, 32));
    f.brIf(again, i32.gt_s(bytes, 0));
  });
});

/** Emits the writing of the current row to the partition of its hash; `code.entry` is changed. */
export function appendRow(
  code: EntryCode & { readonly entry: Local<"i32"> },
  row: {
    readonly layout: RowLayout;
    readonly keys: readonly KeyParts[];
    readonly hash: Local<"i32">;
    readonly partitions: Local<"i32">;
  },
): void {
  const { entry } = code;
  const { f } = code.scope;
  const cursor = f.local("i32", "cursor");
  const partition = i32.shr_u(row.hash, 32 - PARTITION_BITS);
  f.set(cursor, i32.add(row.partitions, i32.mul(partition, PartitionCursor.bytes)));
  f.set(entry, i32.load(cursor, PartitionCursor.next));
  f.if(i32.ge_u(entry, i32.load(cursor, PartitionCursor.stageEnd)), () => {
    f.emit(emptyStage.call(cursor));
    f.set(entry, i32.load(cursor, PartitionCursor.stage));
  });
  f.emit(i32.store(cursor, i32.add(entry, row.layout.bytes), PartitionCursor.next));
  storeRow(code, row.layout, row);
}
