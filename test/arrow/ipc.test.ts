import { tableFromIPC, tableToIPC } from "apache-arrow";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  Arena,
  ArrowError,
  type Batch,
  batchFromRows,
  type Cell,
  dictionary,
  field,
  IpcReader,
  IpcWriter,
  int32,
  int64,
  list,
  parseType,
  readIpc,
  releaseBatch,
  rowsOf,
  type Schema,
  schema,
  sliceBatch,
  struct,
  typeName,
  uint8,
  utf8,
} from "../../src/arrow/mod.ts";
import { anySample, build, EVERY_TYPE, SEED } from "./samples.ts";

const arena = Arena.create({ limitBytes: 2 ** 28 });

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function write(batches: readonly Batch[], of: Schema, format: "file" | "stream"): Uint8Array {
  const writer = new IpcWriter(arena, of, format);
  const chunks = batches.flatMap((batch) => writer.write(batch));
  return join([...chunks, ...writer.finish()]);
}

function readRows(bytes: Uint8Array): { schema: Schema; rows: Record<string, Cell>[] } {
  const reader = readIpc(arena, bytes, { owner: 5 });
  const rows: Record<string, Cell>[] = [];
  try {
    for (const batch of reader) {
      try {
        rows.push(...rowsOf(arena, batch));
      } finally {
        releaseBatch(arena, batch);
      }
    }
    return { schema: reader.schema, rows };
  } finally {
    reader.close();
  }
}

describe("Arrow IPC", () => {
  for (const format of ["file", "stream"] as const) {
    test(`what is written as ${format} is read back equal, by us and by apache-arrow and back (seed ${SEED})`, () => {
      const property = fc.property(anySample, fc.nat(), (sample, at) => {
        const batch = build(arena, sample);
        const cut = at % (sample.rows.length + 1);
        const parts = [sliceBatch(arena, batch, 0, cut, 0), sliceBatch(arena, batch, cut, sample.rows.length, 0)];
        const bytes = write(parts, sample.schema, format);
        for (const part of [batch, ...parts]) releaseBatch(arena, part);
        expect(arena.bytesInUse()).toBe(0);
        const read = readRows(bytes);
        expect(read.schema).toEqual(sample.schema);
        expect(read.rows).toEqual(sample.rows);
        const theirs = tableFromIPC(bytes);
        expect(theirs.numRows).toBe(sample.rows.length);
        const back = readRows(tableToIPC(theirs, format));
        expect(back.rows).toEqual(sample.rows);
        expect(arena.bytesInUse()).toBe(0);
      });
      fc.assert(property, { seed: SEED, numRuns: 80 });
    });
  }

  test("a schema of every type survives without rows", () => {
    const s = schema(EVERY_TYPE.map((type, i) => field(`column ${i}`, type, i % 2 === 0)));
    for (const format of ["file", "stream"] as const) {
      expect(readRows(write([], s, format))).toEqual({ schema: s, rows: [] });
    }
  });

  test("every type's name is read back as that type", () => {
    for (const type of EVERY_TYPE) expect(parseType(typeName(type))).toEqual(type);
  });

  test("a dictionary that changes is replaced in a stream and extended in a file", () => {
    const s = schema([field("d", dictionary(utf8, "uint8")), field("l", list(dictionary(int64, "int16")))]);
    const parts = [["a", "b"], ["a", "b"], ["c", "a"], ["z", null], []].map((texts, part) =>
      texts.map((d, i) => ({ d, l: [BigInt(part), BigInt(i)] })),
    );
    for (const format of ["file", "stream"] as const) {
      const batches = parts.map((rows) => batchFromRows(arena, s, rows, 0));
      const bytes = write(batches, s, format);
      for (const batch of batches) releaseBatch(arena, batch);
      expect(readRows(bytes)).toEqual({ schema: s, rows: parts.flat() });
      expect(arena.bytesInUse()).toBe(0);
    }
  });

  test("a dictionary that outgrows its index type is an error", () => {
    const s = schema([field("d", dictionary(int32, "uint8"))]);
    const batch = batchFromRows(
      arena,
      s,
      Array.from({ length: 257 }, (_, d) => ({ d })),
      0,
    );
    const writer = new IpcWriter(arena, s, "stream");
    expect(() => writer.write(batch)).toThrow(/dictionary of 257 values: its index type uint8/);
    writer.close();
    releaseBatch(arena, batch);
    expect(arena.bytesInUse()).toBe(0);
  });

  test("text with a dictionary is written as declared: plain for utf8, encoded for a dictionary type", () => {
    const rows = ["x", null, "y", "x"].map((t) => ({ t }));
    const encoded = batchFromRows(arena, schema([field("t", dictionary(utf8))]), rows, 0);
    const plain = batchFromRows(arena, schema([field("t", utf8)]), rows, 0);
    for (const batch of [encoded, plain]) {
      for (const s of [encoded.schema, plain.schema]) {
        expect(readRows(write([batch], s, "file"))).toEqual({ schema: s, rows });
      }
    }
    releaseBatch(arena, encoded);
    releaseBatch(arena, plain);
    expect(arena.bytesInUse()).toBe(0);
  });

  test("columns are picked in any order and a file's batches read in any order", () => {
    const s = schema([
      field("a", int64),
      field("d", dictionary(utf8)),
      field("b", struct([field("x", list(utf8))])),
      field("c", uint8),
    ]);
    const parts = [0, 1, 2].map((part) => [{ a: BigInt(part), d: `d${part}`, b: { x: ["p", null] }, c: part }]);
    const batches = parts.map((rows) => batchFromRows(arena, s, rows, 0));
    const bytes = write(batches, s, "file");
    for (const batch of batches) releaseBatch(arena, batch);
    const reader = new IpcReader(
      arena,
      { size: bytes.length, read: (at, n) => bytes.slice(at, at + n) },
      { owner: 1, columns: ["c", "a"] },
    );
    expect(reader.batchCount).toBe(3);
    const last = reader.readBatch(2);
    expect([...rowsOf(arena, last)]).toEqual([{ c: 2, a: 2n }]);
    releaseBatch(arena, last);
    reader.close();
    expect(() => readIpc(arena, bytes, { owner: 1, columns: ["nope"] })).toThrow(
      /column "nope": the data has a, d, b, c/,
    );
    expect(arena.bytesInUse()).toBe(0);
  });

  test("compressed buffers are written and read", () => {
    const s = schema([field("t", utf8), field("n", int64)]);
    const rows = Array.from({ length: 1_000 }, (_, i) => ({ t: `text ${i % 7}`, n: BigInt(i) }));
    const batch = batchFromRows(arena, s, rows, 0);
    const writer = new IpcWriter(arena, s, "file", {
      compression: { codec: "zstd", compress: (b) => Bun.zstdCompressSync(b) },
    });
    const bytes = join([...writer.write(batch), ...writer.finish()]);
    releaseBatch(arena, batch);
    expect(bytes.length).toBeLessThan(8_000);
    const reader = readIpc(arena, bytes, { owner: 1, decompress: (_codec, input) => Bun.zstdDecompressSync(input) });
    const read = reader.next() as Batch;
    expect([...rowsOf(arena, read)]).toEqual(rows);
    releaseBatch(arena, read);
    reader.close();
    const without = readIpc(arena, bytes, { owner: 1 });
    expect(() => without.next()).toThrow(/compressed with zstd: no decompressor/);
    expect(arena.bytesInUse()).toBe(0);
  });

  test("damage of any byte is an error or other values, never a crash, a hang or memory kept", () => {
    const s = schema([
      field("a", int64),
      field("t", utf8),
      field("d", dictionary(utf8)),
      field("l", list(struct([field("x", int32)]))),
    ]);
    const rows = Array.from({ length: 5 }, (_, i) => ({
      a: i % 2 === 0 ? null : BigInt(i),
      t: `é${i}`,
      d: `k${i % 2}`,
      l: [{ x: i }, null],
    }));
    const batch = batchFromRows(arena, s, rows, 0);
    for (const format of ["file", "stream"] as const) {
      const bytes = write([batch], s, format);
      for (let at = 0; at < bytes.length; at++) {
        for (const flip of [0xff, 0x01, 0x80]) {
          const damaged = bytes.slice();
          damaged[at] = (damaged[at] as number) ^ flip;
          attempt(damaged);
        }
        if (at % 3 === 0) attempt(bytes.slice(0, at), at > 0 && format === "file");
      }
    }
    releaseBatch(arena, batch);
    expect(arena.bytesInUse()).toBe(0);
  }, 120_000);

  test(`random bytes in place of any part are refused or read (seed ${SEED})`, () => {
    const property = fc.property(
      anySample,
      fc.nat(),
      fc.uint8Array({ minLength: 1, maxLength: 16 }),
      (sample, at, noise) => {
        const batch = build(arena, sample);
        const bytes = write([batch], sample.schema, at % 2 === 0 ? "file" : "stream");
        releaseBatch(arena, batch);
        const damaged = bytes.slice();
        damaged.set(noise.subarray(0, damaged.length - (at % damaged.length)), at % damaged.length);
        attempt(damaged);
        expect(arena.bytesInUse()).toBe(0);
      },
    );
    fc.assert(property, { seed: SEED, numRuns: 300 });
  });
});

/** Reads damaged bytes: rows or an `ArrowError`. */
function attempt(bytes: Uint8Array, mustFail = false): void {
  const before = arena.bytesInUse();
  let failure: unknown = null;
  try {
    readRows(bytes);
  } catch (error) {
    failure = error;
  }
  if (failure !== null && !(failure instanceof ArrowError)) throw failure as Error;
  if (mustFail && failure === null)
    throw new Error(`${bytes.length} bytes of a longer file were read without an error`);
  if (arena.bytesInUse() !== before) throw new Error("memory was kept after a failure");
}
