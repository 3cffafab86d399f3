import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  Arena,
  type Batch,
  batchFromRows,
  dictionary,
  field,
  int64,
  list,
  releaseBatch,
  rowsOf,
  schema,
  struct,
  utf8,
} from "../../src/arrow/mod.ts";
import { createPartitioner, ExchangeReader, GetInput, LocalInput } from "../../src/shuffle/mod.ts";
import { anySample, build, type Sample, SEED } from "../arrow/samples.ts";
import { randomOf } from "../support/loopback.ts";
import { connector, getInput, keyOf, type Row, readAll, remote, serverOf, storeOf } from "./support.ts";

const near = Arena.create({ limitBytes: 2 ** 29 });
const far = Arena.create({ limitBytes: 2 ** 29 });

function textOf(row: Row): string {
  return JSON.stringify(row, (_, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    if (Object.is(value, -0)) return "-0";
    if (value instanceof Uint8Array) return [...value];
    return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  });
}

function keyNames({ schema: { fields } }: Sample): string[] {
  const names = fields.filter(({ type }) => type.kind !== "list" && type.kind !== "struct").map(({ name }) => name);
  return names.slice(0, 2);
}

test(`rows of every type go through partitions, store and channel into another arena, whole and once (seed ${SEED})`, async () => {
  const property = fc.asyncProperty(
    anySample,
    fc.integer({ min: 1, max: 5 }),
    fc.nat(),
    async (sample, partitions, cut) => {
      const keys = keyNames(sample);
      const store = storeOf(near);
      const server = serverOf(store);
      const logs = Array.from({ length: partitions }, (_, partition) =>
        store.create(keyOf({ partition }), sample.schema),
      );
      const partitioner = createPartitioner(
        keys.length === 0 ? { kind: "roundRobin", partitions } : { kind: "hash", keys, partitions },
        { arena: near, owner: 1, schema: sample.schema, emit: (p, batch) => logs[p]?.append(batch) },
      );
      for (let i = 0; i < 3; i++) partitioner.add(build(near, sample));
      partitioner.flush();
      for (const log of logs) log.finish();
      const rows: Row[] = [];
      for (let partition = 0; partition < partitions; partition++) {
        const { connect } = connector(server, { random: randomOf(cut + partition) });
        const input = new GetInput(keyOf({ partition }), connect, remote(far));
        const reader = new ExchangeReader(far, [input], { order: "producer" });
        rows.push(...(await readAll(far, reader)));
      }
      const wanted = [...sample.rows, ...sample.rows, ...sample.rows] as Row[];
      // What a reader gives is what the arena holds: compare with what went in, read back the same way.
      const original = build(near, sample);
      const stored = [...rowsOf(near, original)];
      releaseBatch(near, original);
      expect(stored).toHaveLength(wanted.length / 3);
      expect(rows.map(textOf).sort()).toEqual([...stored, ...stored, ...stored].map(textOf).sort());
      store.close();
      server.close();
      expect(near.bytesInUse()).toBe(0);
      expect(far.bytesInUse()).toBe(0);
    },
  );
  await fc.assert(property, { seed: SEED, numRuns: 60 });
});

const PAIR = schema([field("k", int64), field("s", utf8)]);

function pairs(from: number, count: number): Batch {
  const rows = Array.from({ length: count }, (_, i) => ({ k: BigInt(from + i), s: `text ${(from + i) % 7}` }));
  return batchFromRows(near, PAIR, rows, 1);
}

test("an edge within one process passes the batches themselves", async () => {
  const store = storeOf(near);
  const log = store.create(keyOf(), PAIR);
  const batch = pairs(0, 10);
  log.append(batch);
  log.finish();
  const reader = new ExchangeReader(near, [new LocalInput(store, keyOf())], { order: "producer" });
  const first = await reader.next();
  expect(first?.batch).toBe(batch);
  releaseBatch(near, batch);
  expect(await reader.next()).toBeNull();
  expect(near.bytesInUse()).toBe(0);
});

test("producers are read one after the other when that is asked for", async () => {
  const store = storeOf(near);
  const server = serverOf(store);
  const keys = [0, 1, 2].map((producer) => keyOf({ producer }));
  const logs = keys.map((key) => store.create(key, PAIR));
  const inputs = [
    getInput(far, server, keys[2]),
    new LocalInput(store, keyOf({ producer: 0 })),
    getInput(far, server, keys[1]),
  ].filter((input) => input.producer !== 0);
  const reader = new ExchangeReader(far, inputs, { order: "producer" });
  const reading = readAll(far, reader);
  logs[2]?.append(pairs(200, 3));
  logs[2]?.finish();
  await new Promise((resolve) => setTimeout(resolve, 20));
  logs[1]?.append(pairs(100, 2));
  logs[1]?.append(pairs(102, 1));
  logs[1]?.finish();
  expect((await reading).map(({ k }) => k)).toEqual([100n, 101n, 102n, 200n, 201n, 202n]);
  store.close();
  expect(near.bytesInUse()).toBe(0);
  expect(far.bytesInUse()).toBe(0);
});

test("a dictionary may have more values than the index type of its column counts to, sent or spilled", async () => {
  const narrow = schema([
    field("d", dictionary(utf8, "int8")),
    field("s", struct([field("a", list(field("b", dictionary(utf8, "uint8"))))])),
  ]);
  const texts = Array.from({ length: 300 }, (_, i) => `text ${i}`);
  const directory = mkdtempSync(join(tmpdir(), "sage-wide-"));
  for (const memoryBytesMax of [2 ** 28, 0]) {
    const store = storeOf(near, { memoryBytesMax, directory });
    const server = serverOf(store);
    const log = store.create(keyOf(), narrow);
    log.append(
      batchFromRows(
        near,
        narrow,
        texts.map((d) => ({ d, s: { a: [d] } })),
        1,
      ),
    );
    log.finish();
    const input = new GetInput(keyOf(), connector(server).connect, remote(far, { schema: narrow }));
    const reader = new ExchangeReader(far, [input], { order: "producer" });
    const read = await reader.next();
    if (read === null) throw new Error("a batch was given");
    expect(read.batch.columns.map(({ type }) => type)).toEqual(narrow.fields.map(({ type }) => type));
    expect([...rowsOf(far, read.batch)]).toEqual(texts.map((d) => ({ d, s: { a: [d] } })));
    releaseBatch(far, read.batch);
    expect(await reader.next()).toBeNull();
    store.close();
    expect(near.bytesInUse()).toBe(0);
    expect(far.bytesInUse()).toBe(0);
  }
  rmSync(directory, { recursive: true, force: true });
});
