import { readFileSync, writeFileSync } from "node:fs";
import { tableFromIPC } from "apache-arrow";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  Arena,
  batchFromRows,
  bool,
  type Cell,
  decimal,
  dictionary,
  field,
  float64,
  fromArrowTable,
  int32,
  int64,
  list,
  loadApacheArrow,
  releaseBatch,
  rowsOf,
  schema,
  struct,
  timestamp,
  utf8,
} from "../../src/arrow/mod.ts";
import { createPartitioner, type PartitionLog, type ShuffleServer } from "../../src/shuffle/mod.ts";
import { encodeControl } from "../../src/shuffle/wire/control.ts";
import { MessageReader } from "../../src/shuffle/wire/message_frames.ts";
import { anySample, build, SEED } from "../arrow/samples.ts";
import { randomOf } from "../support/loopback.ts";
import { connector, keyOf, serverOf, storeOf } from "./support.ts";

const arena = Arena.create({ limitBytes: 2 ** 29 });
const FIXTURE = new URL("data/stream.arrows", import.meta.url);
const END_MARK = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

/** The payloads that a reader gets of a partition, one after the other. */
async function capture(server: ShuffleServer, seed: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const channel = await connector(server, { random: randomOf(seed) }).connect();
  await new Promise<void>((resolve, reject) => {
    const reader = new MessageReader({
      control(message) {
        if (message.kind !== "end") return reject(new Error(JSON.stringify(message)));
        channel.send(encodeControl({ kind: "close" }));
        channel.end();
      },
      begin: () => undefined,
      piece: (bytes) => void pieces.push(bytes.slice()),
      complete: () => undefined,
    });
    channel.receive({ data: (bytes) => reader.push(bytes), closed: (error) => (error ? reject(error) : resolve()) });
    channel.send(encodeControl({ kind: "get", ...keyOf(), fromSequence: 0, limitBytes: 2 ** 40 }));
  });
  return Uint8Array.from([...pieces, END_MARK].flatMap((piece) => [...piece]));
}

test(`apache-arrow reads what a partition's messages carry (seed ${SEED})`, async () => {
  await loadApacheArrow();
  const property = fc.asyncProperty(anySample, fc.boolean(), async (sample, isGathered) => {
    const store = storeOf(arena);
    const server = serverOf(store);
    const log = store.create(keyOf(), sample.schema);
    const original = build(arena, sample);
    const wanted = [...rowsOf(arena, original)];
    const emit = (_: number, batch: typeof original): void => log.append(batch);
    const keys = sample.schema.fields.filter(({ type }) => type.kind !== "list" && type.kind !== "struct");
    const partitioner = createPartitioner(
      isGathered && keys[0] !== undefined
        ? { kind: "range", keys: [{ name: keys[0].name, descending: false, nullsFirst: true }], bounds: [] }
        : { kind: "forward" },
      { arena, owner: 1, schema: sample.schema, emit },
    );
    partitioner.add(original);
    partitioner.flush();
    log.finish();
    const table = tableFromIPC(await capture(server, sample.rows.length));
    expect(table.numRows).toBe(sample.rows.length);
    if (table.numRows > 0) {
      const back = fromArrowTable(arena, table, 1);
      expect([...rowsOf(arena, back)]).toEqual(wanted);
      releaseBatch(arena, back);
    }
    store.close();
    expect(arena.bytesInUse()).toBe(0);
  });
  await fc.assert(property, { seed: SEED, numRuns: 60 });
});

const FLIGHTS = schema([
  field("id", int64, false),
  field("name", utf8),
  field("city", dictionary(utf8)),
  field("price", decimal(12, 2)),
  field("time", timestamp("microsecond", "UTC")),
  field("share", float64),
  field("late", bool),
  field("tags", list(int32)),
  field("place", struct([field("x", int32), field("label", utf8)])),
]);

function flight(i: number) {
  const orNull = <T>(value: T, every: number): T | null => (i % every === 0 ? null : value);
  return {
    id: BigInt(i) * 1_000_000_007n,
    name: orNull(`flight ${i} Grüße`.repeat(i % 3), 5),
    city: orNull(["Oslo", "Rom", "Wien"][i % 3] as string, 4),
    price: orNull(`${i}.${String(i % 100).padStart(2, "0")}`, 7),
    time: orNull(1_700_000_000_000_000n + BigInt(i), 6),
    share: orNull(i / 8, 9),
    late: orNull(i % 2 === 0, 8),
    tags: orNull([i, i + 1].slice(0, i % 3), 10),
    place: orNull({ x: i, label: `at ${i}` }, 11),
  };
}

async function flights(): Promise<{ bytes: Uint8Array; rows: Record<string, Cell>[] }> {
  const store = storeOf(arena);
  const server = serverOf(store);
  const log: PartitionLog = store.create(keyOf(), FLIGHTS);
  const rows: Record<string, Cell>[] = [];
  const partitioner = createPartitioner(
    { kind: "hash", keys: ["id"], partitions: 3 },
    {
      arena,
      owner: 1,
      schema: FLIGHTS,
      emit(partition, batch) {
        if (partition !== 1) return releaseBatch(arena, batch);
        rows.push(...rowsOf(arena, batch));
        log.append(batch);
      },
    },
  );
  for (let part = 0; part < 2; part++) {
    const some = Array.from({ length: 60 }, (_, i) => flight(60 * part + i));
    partitioner.add(batchFromRows(arena, FLIGHTS, some, 1));
    partitioner.flush();
  }
  log.finish();
  const bytes = await capture(server, 1);
  store.close();
  return { bytes, rows };
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, cell]) => [name, plain(cell)]));
}

test("pyarrow has read these very bytes, and saw the rows that were written", async () => {
  const { bytes, rows } = await flights();
  // Set to write the stream anew; `data/README.md` says how pyarrow then reads it.
  if (process.env["SAGE_WRITE_FIXTURE"] === "1") writeFileSync(FIXTURE, bytes);
  expect(Buffer.compare(bytes, readFileSync(FIXTURE))).toBe(0);
  const seen: unknown = JSON.parse(readFileSync(new URL("data/stream.pyarrow.json", import.meta.url), "utf8"));
  expect(rows.map(plain)).toEqual(seen);
  expect(tableFromIPC(bytes).numRows).toBe(rows.length);
});
