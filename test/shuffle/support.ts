import { type Arena, type Cell, releaseBatch, rowsOf } from "../../src/arrow/mod.ts";
import type { Channel } from "../../src/kernel/mod.ts";
import { nodeCompression } from "../../src/platform/compression.ts";
import { nodeDisk } from "../../src/platform/disk.ts";
import {
  type ExchangeReader,
  GetInput,
  type PartitionKey,
  PartitionStore,
  type RemoteOptions,
  type ServerOptions,
  SHUFFLE_PROTOCOL,
  ShuffleServer,
} from "../../src/shuffle/mod.ts";
import { type LoopbackChannel, type LoopbackOptions, loopback, RealClock, randomOf } from "../support/loopback.ts";

export type Row = Record<string, Cell>;

export const compression = nodeCompression();
export const disk = nodeDisk();
export const clock = new RealClock();

export function keyOf(given: Partial<PartitionKey> = {}): PartitionKey {
  return { job: "j", attempt: 1, edge: "e", partition: 0, producer: 0, ...given };
}

export function storeOf(arena: Arena, options: { memoryBytesMax?: number; directory?: string } = {}): PartitionStore {
  const { memoryBytesMax = 2 ** 28, directory } = options;
  const spill = directory === undefined ? null : { disk, directory };
  return new PartitionStore({ arena, owner: 1, compression, memoryBytesMax, spill });
}

export function serverOf(store: PartitionStore, options: Partial<ServerOptions> = {}): ShuffleServer {
  return new ShuffleServer({ store, clock, ...options });
}

/** Connections to a server over loopback channels; the newest is last. */
export function connector(server: ShuffleServer, options: LoopbackOptions = {}) {
  const channels: LoopbackChannel[] = [];
  const connect = (): Promise<Channel> => {
    const [near, far] = loopback({ protocol: SHUFFLE_PROTOCOL, ...options });
    channels.push(near);
    server.opened(far);
    return Promise.resolve(near);
  };
  return { connect, channels };
}

export function remote(arena: Arena, options: Partial<RemoteOptions> = {}): RemoteOptions {
  const random = { next: randomOf(7), bytes: (count: number) => new Uint8Array(count) };
  return { arena, owner: 2, compression, windowBytes: 1 << 20, clock, random, ...options };
}

export function getInput(arena: Arena, server: ShuffleServer, key: PartitionKey = keyOf()): GetInput {
  return new GetInput(key, connector(server).connect, remote(arena));
}

/** All rows, in the order in which the reader gives them. */
export async function readAll(arena: Arena, reader: ExchangeReader): Promise<Row[]> {
  const rows: Row[] = [];
  for (let next = await reader.next(); next !== null; next = await reader.next()) {
    rows.push(...rowsOf(arena, next.batch));
    releaseBatch(arena, next.batch);
  }
  return rows;
}
