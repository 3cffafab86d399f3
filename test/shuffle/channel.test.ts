import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Arena, type Batch, batchFromRows, field, int64, releaseBatch, schema, utf8 } from "../../src/arrow/mod.ts";
import type { Channel } from "../../src/kernel/mod.ts";
import {
  ExchangeReader,
  GetInput,
  LocalInput,
  type PartitionLog,
  PutInput,
  pushPartition,
  type ShuffleCodec,
} from "../../src/shuffle/mod.ts";
import { SEED } from "../arrow/samples.ts";
import { loopback, randomOf } from "../support/loopback.ts";
import { clock, connector, getInput, keyOf, readAll, remote, serverOf, storeOf } from "./support.ts";

const near = Arena.create({ limitBytes: 2 ** 29 });
const far = Arena.create({ limitBytes: 2 ** 29 });
const PAIR = schema([field("k", int64), field("s", utf8)]);
const turn = (ms = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function pairs(from: number, count: number, width = 4): Batch {
  const rows = Array.from({ length: count }, (_, i) => ({ k: BigInt(from + i), s: "x".repeat(width) }));
  return batchFromRows(near, PAIR, rows, 1);
}

const numbers = (count: number): bigint[] => Array.from({ length: count }, (_, i) => BigInt(i));

/** 50 batches of 20 rows. */
function fill(log: PartitionLog): void {
  for (let i = 0; i < 50; i++) log.append(pairs(20 * i, 20, 100));
}

async function settled(): Promise<void> {
  for (let i = 0; i < 100 && near.bytesInUse() + far.bytesInUse() > 0; i++) await turn(2);
  expect([near.bytesInUse(), far.bytesInUse()]).toEqual([0, 0]);
}

const directories: string[] = [];
function temporary(): string {
  const path = mkdtempSync(join(tmpdir(), "sage-shuffle-"));
  directories.push(path);
  return join(path, "spill");
}
afterEach(() => {
  for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
});

test(`a connection that breaks anywhere loses nothing and gives nothing twice (seed ${SEED})`, async () => {
  const random = randomOf(SEED);
  for (let round = 0; round < 8; round++) {
    const store = storeOf(near);
    const server = serverOf(store);
    const log = store.create(keyOf(), PAIR);
    fill(log);
    log.finish();
    const { connect, channels } = connector(server, { random });
    let breaks = 0;
    const breaking = async (): Promise<Channel> => {
      const channel = await connect();
      if (breaks++ < 6) setTimeout(() => channel.abort("cut"), random() * 6);
      return channel;
    };
    const input = new GetInput(keyOf(), breaking, remote(far, { windowBytes: 1 << 14 }));
    const rows = await readAll(far, new ExchangeReader(far, [input], { order: "arrival" }));
    expect(rows.map(({ k }) => k)).toEqual(numbers(1_000));
    expect(channels.length).toBeGreaterThan(1);
    await turn(5);
    expect(store.get(keyOf())).toBeNull();
    store.close();
    server.close();
    await settled();
  }
});

test("what exceeds the share of memory is spilled, read back, and its file removed", async () => {
  const directory = temporary();
  const store = storeOf(near, { memoryBytesMax: 20_000, directory });
  const server = serverOf(store);
  const logs = [0, 1].map((partition) => store.create(keyOf({ partition }), PAIR, { windowBytes: 2 ** 30 }));
  for (const log of logs) {
    fill(log);
    log.finish();
    expect(log.spilledBytes).toBeGreaterThan(50_000);
  }
  expect(store.share.usedBytes).toBeLessThanOrEqual(20_000);
  expect(readdirSync(directory)).toHaveLength(2);
  const remotely = new ExchangeReader(far, [getInput(far, server)], { order: "arrival" });
  expect((await readAll(far, remotely)).map(({ k }) => k)).toEqual(numbers(1_000));
  const locally = new ExchangeReader(near, [new LocalInput(store, keyOf({ partition: 1 }))], { order: "arrival" });
  expect((await readAll(near, locally)).map(({ k }) => k)).toEqual(numbers(1_000));
  await settled();
  expect(readdirSync(directory)).toHaveLength(0);
  store.close();
  expect(readdirSync(join(directory, ".."))).toHaveLength(0);
});

test("without a disk, what exceeds the share of memory is an error that says so", () => {
  const store = storeOf(near, { memoryBytesMax: 5_000 });
  const log = store.create(keyOf(), PAIR);
  expect(() => fill(log)).toThrow(/its 5000 bytes are used, and there is no disk/);
  store.close();
  expect(near.bytesInUse()).toBe(0);
});

test("a blocking exchange is kept until its job ends: it can be read again, from the start", async () => {
  const store = storeOf(near);
  const server = serverOf(store);
  const log = store.create(keyOf(), PAIR, { kind: "blocking", windowBytes: 1 });
  fill(log);
  expect(log.isFull).toBe(false);
  log.finish();
  for (let times = 0; times < 2; times++) {
    const reader = new ExchangeReader(far, [getInput(far, server)], { order: "arrival" });
    expect(await readAll(far, reader)).toHaveLength(1_000);
    await turn(5);
  }
  expect(near.bytesInUse()).toBeGreaterThan(0);
  store.release("j");
  await settled();
});

test("a reader that does not take makes its writer wait, holds no more than its window, and no other is slowed", async () => {
  const store = storeOf(near);
  const server = serverOf(store);
  const windowBytes = 20_000;
  const logs = [0, 1].map((partition) => store.create(keyOf({ partition }), PAIR, { windowBytes }));
  const readers = [0, 1].map((partition) => {
    const { connect } = connector(server);
    const input = new GetInput(keyOf({ partition }), connect, remote(far, { windowBytes }));
    return new ExchangeReader(far, [input], { order: "arrival" });
  });
  const [slow, fast] = readers as [ExchangeReader, ExchangeReader];
  expect(slow.poll()).toBeNull();
  let written = 0;
  const writing = (async () => {
    for (let i = 0; i < 100; i++) {
      await logs[0]?.room();
      logs[0]?.append(pairs(20 * i, 20, 100));
      written++;
    }
    logs[0]?.finish();
  })();
  for (let i = 0; i < 100; i++) {
    await logs[1]?.room();
    logs[1]?.append(pairs(20 * i, 20, 100));
    if (i === 99) logs[1]?.finish();
    const next = await fast.next();
    if (next !== null) releaseBatch(far, next.batch);
  }
  expect(await fast.next()).toBeNull();
  await turn(20);
  const stopped = written;
  await turn(20);
  expect(written).toBe(stopped);
  expect(stopped).toBeLessThan(30);
  expect(near.peakBytes() > 0 && near.bytesInUse()).toBeLessThan(4 * windowBytes);
  expect(far.bytesInUse()).toBeLessThan(3 * windowBytes);
  expect((await readAll(far, slow)).map(({ k }) => k)).toEqual(numbers(2_000));
  await writing;
  await settled();
  store.close();
});

test("a message that is damaged on the way is an error that says so", async () => {
  const store = storeOf(near);
  const server = serverOf(store);
  const log = store.create(keyOf(), PAIR);
  fill(log);
  const connect = (): Promise<Channel> => {
    const [mine, theirs] = loopback();
    const send = theirs.send.bind(theirs);
    let bytes = 0;
    theirs.send = (chunk) => {
      const copy = chunk.slice();
      bytes += copy.length;
      if (bytes > 20_000 && copy.length > 1_000) copy[500] = (copy[500] as number) ^ 1;
      return send(copy);
    };
    server.opened(theirs);
    return Promise.resolve(mine);
  };
  const reader = new ExchangeReader(far, [new GetInput(keyOf(), connect, remote(far))], { order: "arrival" });
  await expect(readAll(far, reader)).rejects.toThrow(/Message \d+ of an exchange is damaged: its checksum is/);
  store.close();
  server.close();
  await settled();
});

test("only the newest attempt of a job is served", async () => {
  const store = storeOf(near);
  const server = serverOf(store);
  const old = store.create(keyOf({ attempt: 1 }), PAIR);
  fill(old);
  const reading = new ExchangeReader(far, [getInput(far, server, keyOf({ attempt: 1 }))], { order: "arrival" });
  const first = await reading.next();
  releaseBatch(far, (first as { batch: Batch }).batch);
  store.fence("j", 2);
  await expect(readAll(far, reading)).rejects.toThrow("Attempt 1 of job j is over: attempt 2 runs.");
  const late = new ExchangeReader(far, [getInput(far, server, keyOf({ attempt: 1 }))], { order: "arrival" });
  await expect(late.next()).rejects.toMatchObject({ code: "fenced" });
  expect(() => store.create(keyOf({ attempt: 1, edge: "f" }), PAIR)).toThrow(/Attempt 1 of job j is over/);
  const local = new ExchangeReader(near, [new LocalInput(store, keyOf({ attempt: 1 }))], { order: "arrival" });
  await expect(local.next()).rejects.toMatchObject({ code: "fenced" });
  await settled();
});

test("a reader may come before its writer", async () => {
  const store = storeOf(near);
  const server = serverOf(store);
  const reader = new ExchangeReader(far, [getInput(far, server)], { order: "arrival" });
  const reading = readAll(far, reader);
  await turn(10);
  const log = store.create(keyOf(), PAIR);
  log.append(pairs(0, 5));
  log.finish();
  expect(await reading).toHaveLength(5);
  await settled();
});

test("why a writer failed is what its reader is told", async () => {
  const store = storeOf(near);
  const server = serverOf(store);
  const log = store.create(keyOf(), PAIR);
  log.append(pairs(0, 5));
  const reader = new ExchangeReader(far, [getInput(far, server)], { order: "arrival" });
  releaseBatch(far, ((await reader.next()) as { batch: Batch }).batch);
  log.fail(new Error("row 7: division by zero"));
  await expect(reader.next()).rejects.toMatchObject({ code: "producer-failed", message: "row 7: division by zero" });
  log.close();
  await settled();
});

test("a reader that has enough frees what its writer keeps, and the writer notices", async () => {
  const store = storeOf(near);
  const server = serverOf(store);
  const log = store.create(keyOf(), PAIR, { windowBytes: 1_000 });
  fill(log);
  const reader = new ExchangeReader(far, [getInput(far, server)], { order: "arrival" });
  releaseBatch(far, ((await reader.next()) as { batch: Batch }).batch);
  reader.close();
  await log.room();
  expect(log.state).toBe("closed");
  log.append(pairs(0, 5));
  await settled();
});

test("a writer may push its partition, also to a reader that comes later and over connections that break", async () => {
  const store = storeOf(near);
  const writer = serverOf(store);
  const reader = serverOf(storeOf(far));
  const log = store.create(keyOf(), PAIR);
  fill(log);
  log.finish();
  const { connect, channels } = connector(reader, { random: randomOf(SEED) });
  const random = { next: randomOf(3), bytes: (count: number) => new Uint8Array(count) };
  let breaks = 0;
  const breaking = async (): Promise<Channel> => {
    const channel = await connect();
    if (breaks++ < 4) setTimeout(() => channel.abort("cut"), 3);
    return channel;
  };
  const pushing = pushPartition({ server: writer, log, connect: breaking, clock, random });
  await turn(10);
  const input = new PutInput(keyOf(), reader, remote(far, { windowBytes: 1 << 14 }));
  const rows = await readAll(far, new ExchangeReader(far, [input], { order: "arrival" }));
  expect(rows.map(({ k }) => k)).toEqual(numbers(1_000));
  await pushing;
  expect(channels.length).toBeGreaterThan(1);
  await settled();
});

test.each(["zstd", "lz4"] as const)("messages may be compressed with %s", async (codec: ShuffleCodec) => {
  const store = storeOf(near);
  const server = serverOf(store, { codec });
  const log = store.create(keyOf(), PAIR);
  fill(log);
  log.finish();
  const { connect } = connector(server);
  let bytes = 0;
  const counting = async (): Promise<Channel> => {
    const channel = await connect();
    const receive = channel.receive.bind(channel);
    channel.receive = (handlers) =>
      receive({
        ...handlers,
        data(chunk) {
          bytes += chunk.length;
          handlers.data(chunk);
        },
      });
    return channel;
  };
  const reader = new ExchangeReader(far, [new GetInput(keyOf(), counting, remote(far))], { order: "arrival" });
  expect((await readAll(far, reader)).map(({ k }) => k)).toEqual(numbers(1_000));
  expect(bytes).toBeLessThan(60_000); // 108,000 bytes of values
  await settled();
});

test("what the peer may not have is refused", async () => {
  const store = storeOf(near);
  const server = serverOf(store, { allows: (peer, { job }) => job !== "secret" || peer === "friend" });
  store.create(keyOf({ job: "secret" }), PAIR);
  const reader = new ExchangeReader(far, [getInput(far, server, keyOf({ job: "secret" }))], { order: "arrival" });
  await expect(reader.next()).rejects.toMatchObject({ code: "forbidden" });
});

test("a writer that stays away is an error after the time allowed", async () => {
  const options = remote(far, { awayMsMax: 60 });
  const input = new GetInput(keyOf(), () => Promise.reject(new Error("no route")), options);
  const reader = new ExchangeReader(far, [input], { order: "arrival" });
  await expect(reader.next()).rejects.toMatchObject({ code: "unreachable", retryable: true });
});

test(`random bytes and mutated streams are refused without a crash or memory kept (seed ${SEED})`, async () => {
  const random = randomOf(SEED);
  const store = storeOf(near);
  const server = serverOf(store);
  const log = store.create(keyOf(), PAIR, { kind: "blocking" });
  fill(log);
  log.finish();
  for (let round = 0; round < 60; round++) {
    const connect = (): Promise<Channel> => {
      const [mine, theirs] = loopback();
      const send = theirs.send.bind(theirs);
      theirs.send = (chunk) => {
        const copy = chunk.slice();
        if (random() < 0.05) copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
        return send(copy);
      };
      server.opened(theirs);
      return Promise.resolve(mine);
    };
    const input = new GetInput(keyOf(), connect, remote(far, { awayMsMax: 200 }));
    const reader = new ExchangeReader(far, [input], { order: "arrival" });
    const rows = await readAll(far, reader).catch((error: unknown) => error);
    // Either nothing was hit that matters, or the reader says what it was.
    if (Array.isArray(rows)) expect(rows).toHaveLength(1_000);
    else expect(rows).toHaveProperty("code");
    reader.close();
  }
  for (let round = 0; round < 60; round++) {
    const [mine, theirs] = loopback();
    server.opened(theirs);
    mine.receive({ data: () => undefined, closed: () => undefined });
    mine.send(Uint8Array.from({ length: 1 + Math.floor(random() * 200) }, () => Math.floor(random() * 256)));
    await turn();
    mine.abort("done");
  }
  store.close();
  server.close();
  await settled();
});
