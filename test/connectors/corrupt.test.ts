import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { SageError } from "../../src/kernel/mod.ts";
import { arena, DATA, load, spec } from "./support.ts";
import { csvOptions } from "./text_fixtures.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-corrupt-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Reads damaged bytes: rows or one clear error that names the file; never anything else, and nothing stays. */
async function tryRead(connector: string, name: string, bytes: Uint8Array): Promise<"rows" | "error"> {
  const path = join(directory, name);
  writeFileSync(path, bytes);
  const before = arena.bytesInUse();
  const options =
    connector === "csv" ? csvOptions([path]) : { paths: [path], schema: null, onBadRow: "fail", inferRows: 1000 };
  try {
    await load(spec(connector, options));
    return "rows";
  } catch (cause) {
    if (!(cause instanceof SageError)) throw new Error(`not a clear error: ${String(cause)}`, { cause });
    if ((cause as { code?: string }).code === "memoryLimit") throw cause;
    expect(cause.message).toContain(path);
    expect(arena.bytesInUse()).toBe(before);
    return "error";
  }
}

const FILES: [connector: string, name: string, step: number][] = [
  ["parquet", "pyarrow_numbers.parquet", 61],
  ["parquet", "pyarrow_texts_v2.parquet", 41],
  ["parquet", "pyarrow_nested.parquet", 41],
  ["parquet", "duckdb_snappy.parquet", 61],
  ["parquet", "polars_zstd.parquet", 61],
  ["parquet", "pyarrow_codec_lz4_raw_page_v1.parquet", 97],
  ["parquet", "pyarrow_encoding_delta_byte_array_page_v1.parquet", 31],
  ["arrow", "pyarrow_texts.arrow", 61],
  ["arrow", "pyarrow_nested.arrows", 61],
  ["csv", "quotes.csv", 1],
  ["json", "nested.jsonl", 1],
];

for (const [connector, name, step] of FILES) {
  describe(`damaged ${name}`, () => {
    const bytes = new Uint8Array(readFileSync(DATA + name));

    it("cut off anywhere it gives rows or one clear error", async () => {
      let errors = 0;
      for (let length = 0; length < bytes.length; length += step) {
        if ((await tryRead(connector, name, bytes.subarray(0, length))) === "error") errors++;
      }
      if (connector === "parquet") expect(errors).toBe(Math.ceil(bytes.length / step));
    });

    it("with a byte changed anywhere it gives rows or one clear error", async () => {
      for (let at = 0; at < bytes.length; at += step) {
        for (const change of [0xff, 0x01, 0x80]) {
          const damaged = bytes.slice();
          damaged[at] = (damaged[at] as number) ^ change;
          await tryRead(connector, name, damaged);
        }
      }
    });
  });
}

describe("checksums", () => {
  it("a page that fails its checksum is refused", async () => {
    const bytes = new Uint8Array(readFileSync(`${DATA}pyarrow_checksum.parquet`));
    let refused = 0;
    for (let at = 60; at < 400; at += 10) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] as number) ^ 0x10;
      if ((await tryRead("parquet", "checksum.parquet", damaged)) === "error") refused++;
    }
    expect(refused).toBeGreaterThan(20);
  });
});
