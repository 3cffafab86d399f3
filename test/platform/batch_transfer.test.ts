import { expect, test } from "vitest";
import {
  Arena,
  batchFromRows,
  type Column,
  emptyBatch,
  field,
  int32,
  int64,
  list,
  schema,
  struct,
  utf8,
} from "../../src/arrow/mod.ts";
import { packBatches, unpackBatches } from "../../src/platform/batch_transfer.ts";

test("packed batches come out as they went in, nested, encoded and empty ones too", () => {
  const arena = Arena.create({ limitBytes: 16 << 20 });
  const nested = schema([
    field("id", int64),
    field("tags", list(field("item", utf8))),
    field("s", struct([field("a", int32), field("b", utf8)])),
  ]);
  const first = batchFromRows(
    arena,
    nested,
    [
      { id: 1n, tags: ["x"], s: { a: 1, b: null } },
      { id: null, tags: null, s: null },
    ],
    0,
  );
  const plain = batchFromRows(arena, schema([field("t", utf8)]), [{ t: "a" }, { t: "b" }], 0);
  const [words] = plain.columns;
  const encoded = {
    ...plain,
    columns: [{ ...(words as Column), data: 64, offsets: 0, dictionary: words as Column }],
  } as typeof plain;
  const batches = [first, encoded, emptyBatch(nested), first];
  expect(unpackBatches(structuredClone(packBatches(batches)))).toEqual(batches);
  expect(unpackBatches(packBatches([]))).toEqual([]);
});
