/**
 * The exchange: its steps in one process, and then from one process to another over the real transport, encrypted,
 * against the bare transport in the same run.
 *
 *     bun bench/shuffle.ts [--megabytes 1024] [--partitions 4] [--rounds 3]        also: deno run -A bench/shuffle.ts
 */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  Arena,
  type Batch,
  batchBytes,
  field,
  float64,
  int32,
  int64,
  releaseBatch,
  retainBatch,
  schema,
} from "../src/arrow/mod.ts";
import type { Address, Channel, PeerId, Transport, TransportHooks } from "../src/kernel/mod.ts";
import { systemClock } from "../src/platform/clock.ts";
import { nodeCompression } from "../src/platform/compression.ts";
import { garbageCollector } from "../src/platform/garbage.ts";
import { createKeys } from "../src/platform/keys.ts";
import { createTransport } from "../src/platform/network/mod.ts";
import { systemRandom } from "../src/platform/random.ts";
import {
  createPartitioner,
  ExchangeReader,
  GetInput,
  type PartitionKey,
  PartitionStore,
  SHUFFLE_PROTOCOL,
  ShuffleServer,
} from "../src/shuffle/mod.ts";
import { StreamDecoder } from "../src/shuffle/stream_decoder.ts";
import { type Payload, StreamEncoder } from "../src/shuffle/stream_encoder.ts";

const ROWS = 65_536;
const WINDOW_BYTES = 4 << 20;
const PIECE = new Uint8Array(64 << 10).fill(7);
const TABLE = schema([
  field("key", int64, false),
  field("time", int64, false),
  field("price", float64, false),
  field("count", int32, false),
]);
const compression = nodeCompression();
const keys = createKeys();
const log = { write: (level: string, event: string, fields?: unknown) => console.error(level, event, fields) };

function table(arena: Arena, seed: number): Batch {
  const widths = [8, 8, 8, 4];
  const data = widths.map((width) => arena.allocate(width * ROWS, 1));
  for (let row = 0; row < ROWS; row++) {
    const key = Math.imul(row * 31 + seed, 0x9e37_79b1) >>> 0;
    arena.i64[((data[0] as number) >>> 3) + row] = BigInt(key % 1_000_003);
    arena.i64[((data[1] as number) >>> 3) + row] = BigInt(row) * 1_000_000n;
    arena.f64[((data[2] as number) >>> 3) + row] = key / 7;
    arena.i32[((data[3] as number) >>> 2) + row] = key & 1_023;
  }
  const columns = TABLE.fields.map(({ type }, i) => ({
    type,
    length: ROWS,
    nullCount: 0,
    validity: 0,
    offsets: 0,
    data: data[i] as number,
    children: [],
    dictionary: null,
  }));
  return { schema: TABLE, rowCount: ROWS, columns, blocks: data };
}

const rate = (bytes: number, ms: number): string => `${(bytes / 1e3 / ms).toFixed(0).padStart(6)} MB/s`;
const perGb = (bytes: number, ms: number): string => `${((ms * 1e6) / bytes).toFixed(2)} s of CPU a GB`;

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

function report(name: string, bytes: number, run: () => void): void {
  const startMs = performance.now();
  const startCpuMs = cpuMs();
  run();
  const ms = performance.now() - startMs;
  console.log(`  ${name.padEnd(34)} ${rate(bytes, ms)}   ${perGb(bytes, cpuMs() - startCpuMs)}`);
}

function steps(size: number, partitions: number): void {
  const arena = Arena.create({ limitBytes: 2 ** 30 });
  const target = Arena.create({ limitBytes: 2 ** 30 });
  const batch = table(arena, 1);
  const bytes = batchBytes(arena, batch);
  const count = Math.max(1, Math.round(size / bytes));
  const total = count * bytes;
  let out: Batch[] = [];
  const drop = (): void => {
    for (const each of out) releaseBatch(arena, each);
    out = [];
  };
  const options = { arena, owner: 1, schema: TABLE, emit: (_: number, made: Batch) => void out.push(made) };
  const partitioner = createPartitioner({ kind: "hash", keys: ["key"], partitions }, options);
  const partition = (): void => {
    retainBatch(arena, batch);
    partitioner.add(batch);
    partitioner.flush();
  };
  for (let i = 0; i < 20; i++, drop()) partition();
  console.log(`in one process, ${partitions} partitions`);
  report("partition (hash, order, gather)", total, () => {
    for (let i = 0; i < count; i++, drop()) partition();
  });
  partition();
  const encoder = new StreamEncoder(arena, TABLE, { compression, codec: {} });
  const head = encoder.schema();
  let payloads: Payload[] = [];
  report("encode (metadata, checksum)", total, () => {
    for (let i = 0; i < count; i++) payloads = out.flatMap((each) => encoder.batch(each));
  });
  const place = (payload: Payload): number => {
    const block = target.allocate(payload.bytes, 2);
    let at = block;
    for (const chunk of payload.chunks) {
      target.u8.set(chunk, at);
      at += chunk.length;
    }
    return block;
  };
  report("copy into the other arena", total, () => {
    for (let i = 0; i < count; i++) for (const payload of payloads) target.release(place(payload));
  });
  const decoder = new StreamDecoder(target, { owner: 2, compression });
  const first = place(head);
  decoder.take(first, head.bytes);
  target.release(first);
  const blocks = payloads.map(place);
  report("checksum and decode", total, () => {
    for (let i = 0; i < count; i++) {
      payloads.forEach((payload, p) => {
        const block = blocks[p] as number;
        compression.crc32(target.u8.subarray(block, block + payload.bytes));
        const decoded = decoder.take(block, payload.bytes);
        if (decoded !== null) releaseBatch(target, decoded);
      });
    }
  });
}

function hooks(more: Partial<TransportHooks>): TransportHooks {
  return {
    credential: () => new Uint8Array(1),
    admit: () => ({ kind: "member" }),
    connected: () => undefined,
    disconnected: () => undefined,
    posted: () => undefined,
    opened: (channel) => channel.abort("not served"),
    ...more,
  };
}

/** Sends `size` bytes as they are, once the other side has said how many. */
function bare(channel: Channel): void {
  let left = -1;
  const pump = (): void => {
    while (left > 0) {
      left -= PIECE.length;
      if (!channel.send(PIECE)) return;
    }
    if (left !== -1) channel.end();
  };
  channel.receive({
    data: (bytes) => {
      left = Number(new TextDecoder().decode(bytes));
      pump();
    },
    drain: pump,
    closed: () => undefined,
  });
}

/** The writing process: a line `job bytes` on its input starts an exchange. */
async function write(partitions: number): Promise<void> {
  const arena = Arena.create({ limitBytes: 2 ** 30 });
  const clock = systemClock;
  const store = new PartitionStore({ arena, owner: 1, compression, memoryBytesMax: 2 ** 28, spill: null });
  const server = new ShuffleServer({ store, clock });
  const transport = createTransport({ keyPair: keys.create(), log, listen: ["/ip4/127.0.0.1/tcp/0"] });
  await transport.start(
    hooks({ opened: (channel) => (channel.protocol === SHUFFLE_PROTOCOL ? server.opened(channel) : bare(channel)) }),
  );
  console.log(JSON.stringify({ peer: transport.self, addresses: transport.addresses }));
  const batches = [1, 2, 3, 4].map((seed) => table(arena, seed));
  const bytes = batchBytes(arena, batches[0] as Batch);
  let startCpuMs = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    const [job = "", size = "0"] = line.split(" ");
    if (job === "cpu") {
      console.log(JSON.stringify({ cpuMs: cpuMs() - startCpuMs, rss: process.memoryUsage().rss }));
      startCpuMs = cpuMs();
      continue;
    }
    const logs = Array.from({ length: partitions }, (_, partition) =>
      store.create(keyOf(job, partition), TABLE, { windowBytes: WINDOW_BYTES }),
    );
    const emit = (partition: number, batch: Batch): void => logs[partition]?.append(batch);
    const partitioner = createPartitioner(
      { kind: "hash", keys: ["key"], partitions },
      { arena, owner: 1, schema: TABLE, emit },
    );
    const collectGarbage = garbageCollector(arena);
    void (async () => {
      const count = Math.round(Number(size) / bytes);
      for (let i = 0; i < count; i++) {
        const batch = batches[i % batches.length] as Batch;
        retainBatch(arena, batch);
        partitioner.add(batch);
        collectGarbage();
        for (const each of logs) await each.room();
      }
      partitioner.flush();
      for (const each of logs) each.finish();
    })();
  }
  process.exit(0);
}

function keyOf(job: string, partition: number): PartitionKey {
  return { job, attempt: 1, edge: "0", partition, producer: 0 };
}

async function receiveBare(transport: Transport, peer: PeerId, size: number): Promise<number> {
  const channel = await transport.open(peer, "/bench/1");
  const startMs = performance.now();
  let bytes = 0;
  await new Promise<void>((resolve, reject) => {
    channel.receive({
      data: (chunk) => {
        bytes += chunk.length;
      },
      end: () => channel.end(),
      closed: (error) => (error === null ? resolve() : reject(error)),
    });
    channel.send(new TextEncoder().encode(`${size}`));
  });
  if (bytes < size) throw new Error(`bytes were lost: ${bytes} of ${size}`);
  return performance.now() - startMs;
}

interface Exchange {
  readonly transport: Transport;
  readonly peer: PeerId;
  readonly arena: Arena;
  readonly job: string;
  readonly partitions: number;
}

async function receiveExchange({ transport, peer, arena, job, partitions }: Exchange): Promise<[number, number]> {
  const startMs = performance.now();
  const options = { arena, owner: 2, compression, windowBytes: WINDOW_BYTES, clock: systemClock, random: systemRandom };
  let bytes = 0;
  const collectGarbage = garbageCollector(arena);
  const readers = Array.from({ length: partitions }, async (_, partition) => {
    const connect = (): Promise<Channel> => transport.open(peer, SHUFFLE_PROTOCOL);
    const reader = new ExchangeReader(arena, [new GetInput(keyOf(job, partition), connect, options)], {
      order: "arrival",
    });
    for (let next = await reader.next(); next !== null; next = await reader.next()) {
      collectGarbage();
      bytes += 28 * next.batch.rowCount;
      releaseBatch(arena, next.batch);
    }
  });
  await Promise.all(readers);
  return [bytes, performance.now() - startMs];
}

async function between(size: number, partitions: number, rounds: number): Promise<void> {
  const child: ChildProcess = spawn(
    process.execPath,
    [
      ...(process.execPath.includes("deno") ? ["run", "-A"] : []),
      fileURLToPath(import.meta.url),
      "--write",
      "--partitions",
      `${partitions}`,
    ],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const answer = async (): Promise<never> => JSON.parse((await lines.next()).value as string) as never;
  const other: { peer: PeerId; addresses: Address[] } = await answer();
  const ask = async (): Promise<{ cpuMs: number; rss: number }> => {
    child.stdin?.write("cpu\n");
    return await answer();
  };
  const transport = createTransport({ keyPair: keys.create(), log, listen: [] });
  await transport.start(hooks({}));
  transport.know(other.peer, other.addresses);
  const arena = Arena.create({ limitBytes: 2 ** 28 });
  const best = { bare: Number.POSITIVE_INFINITY, exchange: Number.POSITIVE_INFINITY };
  let rss = { reader: 0, writer: 0 };
  console.log(`between two processes, ${partitions} partitions, ${(size / 1e6).toFixed(0)} MB a round`);
  for (let round = 0; round < rounds; round++) {
    await ask();
    let startCpuMs = cpuMs();
    const bareMs = await receiveBare(transport, other.peer, size);
    const bareCpu = { reader: cpuMs() - startCpuMs, writer: (await ask()).cpuMs };
    startCpuMs = cpuMs();
    child.stdin?.write(`${round} ${size}\n`);
    const [bytes, ms] = await receiveExchange({ transport, peer: other.peer, arena, job: `${round}`, partitions });
    const readerCpuMs = cpuMs() - startCpuMs;
    const readerRss = process.memoryUsage().rss;
    const writer = await ask();
    if (Math.abs(bytes - size) > 28 * ROWS) throw new Error(`rows were lost: ${bytes} of ${size} bytes`);
    rss = { reader: Math.max(rss.reader, readerRss), writer: Math.max(rss.writer, writer.rss) };
    console.log(
      `  bare transport  ${rate(size, bareMs)}   writer ${perGb(size, bareCpu.writer)}, reader ${perGb(size, bareCpu.reader)}`,
    );
    console.log(
      `  exchange        ${rate(bytes, ms)}   writer ${perGb(bytes, writer.cpuMs)}, reader ${perGb(bytes, readerCpuMs)}`,
    );
    best.bare = Math.min(best.bare, bareMs / size);
    best.exchange = Math.min(best.exchange, ms / bytes);
  }
  console.log(`  exchange / bare transport  ${((100 * best.bare) / best.exchange).toFixed(0)} %  (at least 60 %)`);
  console.log(`  exchange, best             ${rate(1, best.exchange)}  (at least 500 MB/s)`);
  console.log(
    `  resident: writer ${(rss.writer / 1e6).toFixed(0)} MB, reader ${(rss.reader / 1e6).toFixed(0)} MB  (at most 300 MB)`,
  );
  await transport.stop();
  child.stdin?.end();
}

const { values } = parseArgs({
  options: {
    write: { type: "boolean" },
    megabytes: { type: "string", default: "1024" },
    partitions: { type: "string", default: "4" },
    rounds: { type: "string", default: "3" },
  },
});
const partitions = Number(values.partitions);
if (values.write === true) await write(partitions);
else {
  steps(Number(values.megabytes) << 20, partitions);
  await between(Number(values.megabytes) << 20, partitions, Number(values.rounds));
  process.exit(0);
}
