import {
  type Batch,
  BatchBuilder,
  type CellInput,
  type DataType,
  releaseBatch,
  type Schema,
} from "../../src/arrow/mod.ts";
import { sinkOf } from "../../src/connectors/mod.ts";
import { arena, plain, spec, tools } from "./support.ts";

/** Rows for sinks to write, and what they are in `expected.json`'s form. */

const f = (name: string, type: DataType, nullable = true) => ({ name, type, nullable });

export const FLAT: Schema = {
  fields: [
    f("id", { kind: "int64" }, false),
    f("flag", { kind: "bool" }),
    f("i8", { kind: "int8" }),
    f("u8", { kind: "uint8" }),
    f("i16", { kind: "int16" }),
    f("u16", { kind: "uint16" }),
    f("i32", { kind: "int32" }),
    f("u32", { kind: "uint32" }),
    f("u64", { kind: "uint64" }),
    f("f32", { kind: "float32" }),
    f("f64", { kind: "float64" }),
    f("dec", { kind: "decimal", precision: 38, scale: 4 }),
    f("text", { kind: "utf8" }),
    f("day", { kind: "date32" }),
    f("ts", { kind: "timestamp", unit: "microsecond", timezone: null }),
    f("tsn", { kind: "timestamp", unit: "nanosecond", timezone: "UTC" }),
    f("tod", { kind: "time", unit: "microsecond" }),
  ],
};

export function flatRow(i: number): CellInput[] {
  if (i % 7 === 3) return [BigInt(i), ...FLAT.fields.slice(1).map(() => null)];
  const sign = i % 2 === 0 ? 1 : -1;
  const big = i === 0 ? 9223372036854775807n : i === 1 ? -9223372036854775808n : BigInt(sign * i * 1_000_003);
  return [
    big,
    i % 3 === 0,
    sign * (i % 128),
    i % 256,
    sign * (i % 32768),
    i % 65536,
    sign * i * 1000,
    i === 0 ? 4294967295 : i,
    i === 0 ? 18446744073709551615n : BigInt(i),
    i === 4 ? Number.NaN : i / 4,
    i === 4 ? Number.NEGATIVE_INFINITY : i === 5 ? -0 : i / 3,
    i === 0 ? "-9999999999999999999999999999999999.9999" : `${sign * i}.2500`,
    i === 0 ? "" : i % 5 === 0 ? 'he said "hi", 漢字\nnew' : `text ${i % 50}`,
    i - 500,
    BigInt(i) * 1_234_567_891n,
    BigInt(i) * 1_234_567_891_011n,
    BigInt(i) * 1_000_001n,
  ];
}

export const NESTED: Schema = {
  fields: [
    f("id", { kind: "int32" }),
    f("list", { kind: "list", item: f("item", { kind: "int64" }) }),
    f("point", { kind: "struct", fields: [f("x", { kind: "float64" }), f("name", { kind: "utf8" })] }),
    f("deep", {
      kind: "list",
      item: f("item", { kind: "struct", fields: [f("tags", { kind: "list", item: f("item", { kind: "utf8" }) })] }),
    }),
  ],
};

export function nestedRow(i: number): CellInput[] {
  const list = i % 4 === 0 ? null : Array.from({ length: i % 3 }, (_, k) => (k === 1 ? null : BigInt(i + k)));
  const point = i % 5 === 0 ? null : { x: i / 2, name: i % 2 === 0 ? null : `p${i}` };
  const deep =
    i % 6 === 0
      ? null
      : Array.from({ length: i % 4 }, (_, k) => (k === 2 ? null : { tags: k === 1 ? [] : [`t${i}`, null] }));
  return [i, list, point, deep];
}

export function batches(schema: Schema, row: (i: number) => CellInput[], sizes: readonly number[]): Batch[] {
  let next = 0;
  return sizes.map((size) => {
    const builder = new BatchBuilder(arena, schema, 0, Math.max(size, 1));
    for (let i = 0; i < size; i++) builder.appendValues(row(next++));
    return builder.finish();
  });
}

export async function write(
  connector: string,
  options: Record<string, unknown>,
  schema: Schema,
  given: Batch[],
): Promise<void> {
  const writer = sinkOf(spec(connector, options)).open(spec(connector, options), schema, { ...tools, arena });
  for (const batch of given) {
    await writer.write(batch);
    releaseBatch(arena, batch);
  }
  await writer.prepare(1);
  await writer.commit(1);
  await writer.commit(1);
}

export function expectedRows(schema: Schema, row: (i: number) => CellInput[], count: number): unknown[][] {
  return Array.from({ length: count }, (_, i) =>
    row(i).map((cell, c) => normal(schema.fields[c]?.type as DataType, cell)),
  );
}

function normal(type: DataType, cell: CellInput): unknown {
  return plain(type, type.kind === "float32" && typeof cell === "number" ? Math.fround(cell) : (cell as never));
}

export const parquet = (path: string, changes: Record<string, unknown> = {}) => ({
  path,
  codec: "zstd",
  rowGroupRows: 1000,
  ...changes,
});
