/** What a task gives to the exchanges of its fragment. */
import {
  type Arena,
  type Batch,
  batchBytes,
  releaseBatch,
  retainBatch,
  type Schema,
  selectColumns,
} from "../arrow/mod.ts";
import type { Exchange } from "../jobs/mod.ts";
import { unreachable } from "../kernel/mod.ts";
import {
  createPartitioner,
  type Partitioner,
  type Partitioning,
  type PartitionKey,
  type PartitionLog,
  type PartitionStore,
} from "../shuffle/mod.ts";
import { OWNER, withOrdinal } from "./rows.ts";
import { Sampler } from "./sampler.ts";

export interface OutputOptions {
  readonly store: PartitionStore;
  readonly exchange: Exchange;
  /** Of the producer's root. */
  readonly rootSchema: Schema;
  /** Number of the producing task. */
  readonly producer: number;
  /** Tasks that read. */
  readonly readers: number;
  /** First words of rows that part ranges. */
  readonly bounds: readonly bigint[];
  readonly keyOf: (partition: number) => PartitionKey;
}

/** One exchange, from this producer. */
export class ExchangeOutput {
  readonly logs: readonly PartitionLog[];
  /** Of all batches that were given. */
  bytes = 0;
  readonly #options: OutputOptions;
  readonly #arena: Arena;
  readonly #sent: readonly string[];
  /** Columns sent, then those that are there to share rows out by. */
  readonly #needed: readonly string[];
  readonly #partitioner: Partitioner;
  readonly #sampler: Sampler | null;
  #rowCount = 0;

  constructor(options: OutputOptions) {
    const { exchange, store, rootSchema } = options;
    this.#options = options;
    this.#arena = store.arena;
    this.#sent = exchange.schema.fields.map(({ name }) => name);
    this.#needed = [...new Set([...this.#sent, ...keysOf(exchange)])];
    const rows = exchange.kind === "gather" ? exchange.sampleRowsMax : null;
    this.#sampler = rows === null ? null : new Sampler(this.#arena, rows);
    this.#partitioner = createPartitioner(partitioningOf(options), {
      arena: this.#arena,
      owner: OWNER,
      schema: schemaOf(this.#needed, [rootSchema, exchange.schema]),
      emit: (partition, batch) => this.#emit(partition, batch),
    });
    this.logs = this.#openLogs();
  }

  /** Takes over the batch, also when it throws. */
  add(batch: Batch): void {
    const { ordinal } = this.#options.exchange;
    const firstRow = this.#rowCount;
    this.#rowCount += batch.rowCount;
    const { producer } = this.#options;
    const numbered = ordinal === null ? batch : withOrdinal(this.#arena, batch, { name: ordinal, producer, firstRow });
    const needed = selectColumns(numbered, this.#needed);
    if (this.#sampler === null) this.#partitioner.add(needed);
    else this.#sampler.add(needed);
  }

  /** No more rows come. */
  finish(): void {
    for (const batch of this.#sampler?.take() ?? []) this.#partitioner.add(batch);
    this.#partitioner.flush();
    for (const log of this.logs) log.finish();
  }

  /** The readers get this error. */
  fail(error: Error): void {
    this.#drop();
    // Of a blocking exchange nobody reads yet, and the task's next run needs the memory.
    for (const log of this.logs)
      if (log.kind === "blocking") log.close();
      else log.fail(error);
  }

  /** Frees all, also what was given. */
  close(): void {
    this.#drop();
    for (const log of this.logs) log.close();
  }

  #drop(): void {
    this.#sampler?.close();
    this.#partitioner.close();
  }

  #openLogs(): PartitionLog[] {
    const { exchange, readers, producer, store, keyOf } = this.#options;
    const kind = exchange.isBlocking ? "blocking" : "pipelined";
    // Of a forward exchange the task gives to one reader alone.
    const partitions =
      exchange.kind === "forward" ? [producer + exchange.offset] : Array.from({ length: readers }, (_, i) => i);
    const logs: PartitionLog[] = [];
    try {
      for (const partition of partitions) logs.push(store.create(keyOf(partition), exchange.schema, { kind }));
      return logs;
    } catch (error) {
      for (const log of logs) log.close();
      throw error;
    }
  }

  #emit(partition: number, batch: Batch): void {
    const sent = selectColumns(batch, this.#sent);
    this.bytes += batchBytes(this.#arena, sent);
    this.logs[partition]?.append(sent);
  }
}

/** All exchanges of a task. */
export class TaskOutputs {
  readonly outputs: readonly ExchangeOutput[];
  readonly #arena: Arena;
  readonly #logs: readonly PartitionLog[];

  constructor(arena: Arena, outputs: readonly ExchangeOutput[]) {
    this.#arena = arena;
    this.outputs = outputs;
    this.#logs = outputs.flatMap(({ logs }) => logs);
  }

  get bytes(): number {
    return this.outputs.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get spilledBytes(): number {
    return this.#logs.reduce((sum, { spilledBytes }) => sum + spilledBytes, 0);
  }

  /** Whether nobody reads any of it any more. */
  get isUnwanted(): boolean {
    return this.outputs.length > 0 && this.#logs.every(({ state }) => state === "closed");
  }

  /** A reader that is behind; null when there is none. */
  get full(): PartitionLog | null {
    return this.#logs.find((log) => log.isFull && log.state === "open") ?? null;
  }

  /** Takes over the batch, also when it throws. */
  add(batch: Batch): void {
    try {
      for (const output of this.outputs) {
        retainBatch(this.#arena, batch);
        output.add(batch);
      }
    } finally {
      releaseBatch(this.#arena, batch);
    }
  }

  finish(): void {
    for (const output of this.outputs) output.finish();
  }

  fail(error: Error): void {
    for (const output of this.outputs) output.fail(error);
  }

  close(): void {
    for (const output of this.outputs) output.close();
  }
}

function keysOf(exchange: Exchange): readonly string[] {
  if (exchange.kind === "hash") return exchange.keys;
  return exchange.kind === "range" ? exchange.keys.map(({ column }) => column) : [];
}

function schemaOf(names: readonly string[], from: readonly Schema[]): Schema {
  const fields = from.flatMap((each) => each.fields);
  return { fields: names.map((name) => fields.find((field) => field.name === name) as Schema["fields"][number]) };
}

function partitioningOf({ exchange, readers, bounds }: OutputOptions): Partitioning {
  switch (exchange.kind) {
    case "forward":
    case "gather":
      return { kind: "forward" };
    case "broadcast":
      return { kind: "broadcast", partitions: readers };
    case "roundRobin":
    case "rebalance":
      return { kind: "roundRobin", partitions: readers };
    case "hash":
      return { kind: "hash", keys: exchange.keys, partitions: readers };
    case "range":
      return { kind: "range", keys: exchange.keys.map(rangeKeyOf), bounds };
    default:
      return unreachable(exchange);
  }
}

export function rangeKeyOf(key: {
  readonly column: string;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}) {
  return { name: key.column, descending: key.descending, nullsFirst: key.nullsFirst };
}
