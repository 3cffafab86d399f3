import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { col, count, dataflow, max, Stream } from "../../mod.ts";
import { SageError } from "../../src/kernel/mod.ts";
import { createEngine, type Engine } from "../../src/platform/mod.ts";
import { runFlow } from "./engines.ts";

/** Damage is put into this many regions of a file, spread over its length. */
const REGIONS = 24;

const directory = mkdtempSync(join(tmpdir(), "sage-bad-"));
const data = (name: string) => fileURLToPath(new URL(`../data/${name}`, import.meta.url));
let engine: Engine;

beforeAll(async () => {
  engine = await createEngine({ workers: 2 });
});

afterAll(async () => {
  await engine.close();
  rmSync(directory, { recursive: true });
});

interface Source {
  readonly file: string;
  readonly read: (path: string) => Stream;
}

const sources: readonly Source[] = [
  { file: "pyarrow_codec_snappy_page_v1.parquet", read: (path) => Stream.fromParquet(path) },
  { file: "pyarrow_codec_zstd_page_v2.parquet", read: (path) => Stream.fromParquet(path) },
  { file: "pyarrow_nested.parquet", read: (path) => Stream.fromParquet(path) },
  { file: "pyarrow_texts.parquet", read: (path) => Stream.fromParquet(path) },
  { file: "pyarrow_numbers.arrow", read: (path) => Stream.fromArrow(path) },
  { file: "pyarrow_texts.arrows", read: (path) => Stream.fromArrow(path) },
  { file: "pyarrow_nested_zstd.arrow", read: (path) => Stream.fromArrow(path) },
  { file: "duckdb.csv", read: (path) => Stream.fromCsv(path) },
  { file: "plain.jsonl", read: (path) => Stream.fromJson(path) },
  { file: "nested.jsonl", read: (path) => Stream.fromJson(path) },
];

/** Rows, or the one error that a user may see. Anything else, such as a fault of ours, fails the test. */
async function outcomeOf(stream: Stream): Promise<string[] | SageError> {
  try {
    return await runFlow(
      engine,
      dataflow("read", () => stream),
    );
  } catch (error) {
    if (error instanceof SageError && error.message.length > 10) return error;
    throw error;
  } finally {
    expect(engine.arena.bytesInUse()).toBe(0);
  }
}

function damages(whole: Buffer): Buffer[] {
  const step = Math.max(1, Math.floor(whole.length / REGIONS));
  const positions = Array.from({ length: Math.min(REGIONS, whole.length) }, (_, i) => i * step);
  return [
    ...positions.map((at) => whole.subarray(0, at)),
    ...positions.map((at) => Buffer.concat([whole.subarray(0, at), whole.subarray(at + 1)])),
    ...[0xff, 0x00].flatMap((byte) =>
      positions.map((at) => Buffer.from(whole).fill(byte, at, Math.min(at + 4, whole.length))),
    ),
    ...positions.map((at) => {
      const flipped = Buffer.from(whole);
      flipped[at] = (flipped[at] as number) ^ 0x10;
      return flipped;
    }),
  ];
}

describe("a damaged file gives one clear error or rows, never a crash, a hang or a leak", () => {
  test.each(sources)("$file", async ({ file, read }) => {
    const path = join(directory, file);
    const whole = readFileSync(data(file));
    let errors = 0;
    for (const damaged of damages(whole)) {
      writeFileSync(path, damaged);
      if ((await outcomeOf(read(path))) instanceof SageError) errors++;
    }
    expect(errors).toBeGreaterThan(0);
  });
});

test("a file that is cut off is never taken for a shorter one: Parquet and Arrow files", async () => {
  for (const { file, read } of sources.filter((source) => /\.(parquet|arrow)$/.test(source.file))) {
    const path = join(directory, `cut_${file}`);
    const whole = readFileSync(data(file));
    for (const share of [0.1, 0.5, 0.9, 0.99]) {
      writeFileSync(path, whole.subarray(0, Math.floor(whole.length * share)));
      expect(await outcomeOf(read(path)), `${file} to ${share}`).toMatchObject({ name: "ConnectorError" });
    }
  }
});

const wrongFiles: readonly (readonly [string, () => Stream, RegExp])[] = [
  ["a file that is not there", () => Stream.fromParquet("no/such.parquet"), /no\/such\.parquet.*no directory no/],
  ["a glob that nothing matches", () => Stream.fromCsv(join(directory, "*.tsv")), /no file in .* matches/],
  ["a directory without such files", () => Stream.fromJson(data("../e2e")), /has no JSON files/],
  ["CSV in place of Parquet", () => Stream.fromParquet(data("plain.csv")), /plain\.csv/],
  ["Parquet in place of CSV", () => Stream.fromCsv(data("pyarrow_numbers.parquet")), /pyarrow_numbers\.parquet/],
  ["Parquet in place of JSON", () => Stream.fromJson(data("pyarrow_numbers.parquet")), /pyarrow_numbers\.parquet/],
  ["Parquet in place of Arrow", () => Stream.fromArrow(data("pyarrow_numbers.parquet")), /pyarrow_numbers\.parquet/],
  ["an empty file in place of Parquet", () => Stream.fromParquet(data("empty.csv")), /empty\.csv/],
  [
    "a declared column that the file has not",
    () => Stream.fromCsv(data("plain.csv"), { schema: { nope: "int64" } }),
    /plain\.csv.*"nope"/,
  ],
  [
    "a declared type that the values are not of",
    () => Stream.fromCsv(data("bad_number.csv"), { schema: { a: "int64", b: "utf8" } }),
    /bad_number\.csv.*oops/s,
  ],
];

test.each(wrongFiles)("%s is one error that names the file", async (_name, stream, message) => {
  const outcome = await outcomeOf(stream());
  expect(outcome).toBeInstanceOf(SageError);
  expect((outcome as SageError).message).toMatch(message);
});

test("damage in the middle of a large CSV file is found in the worker that reads it", async () => {
  const path = join(directory, "large.csv");
  const lines = Array.from({ length: 1_500_000 }, (_, i) => `${i},${i % 7 === 0 ? "" : `text ${i}`}`);
  lines[1_200_000] = "oops,text";
  writeFileSync(path, `id,text\n${lines.join("\n")}\n`);
  const read = Stream.fromCsv(path, { schema: { id: "int64", text: "utf8" } });
  const outcome = await outcomeOf(read.filter(col("id").gt(5)).aggregate({ rows: count(), most: max("text") }));
  expect(outcome).toMatchObject({ code: "badRow", message: expect.stringMatching(/large\.csv.*1200002.*oops/s) });
});
