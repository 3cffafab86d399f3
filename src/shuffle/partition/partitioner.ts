import {
  type Arena,
  type Batch,
  batchBlockBytes,
  fieldIndex,
  type OwnerId,
  releaseBatch,
  retainBatch,
  type Schema,
  sliceBatch,
} from "../../arrow/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import { ShuffleError } from "../error.ts";
import { checkHashKey, HashRouter } from "./hash_router.ts";
import { partitionKernels } from "./kernels.ts";
import { PARTITIONS_MAX, type Partitioning, partitionCount } from "./partitioning.ts";
import { RangeRouter } from "./range_router.ts";
import { type RoutedBatch, type RouteOptions, type Router, routeBatch } from "./router.ts";
import { scatter } from "./scatter.ts";

/** Rows are gathered for so many a partition, so that messages are not small. */
const ROWS_PER_PARTITION = 8_192;
const GROUP_ROWS_MIN = 65_536;
const GROUP_ROWS_MAX = 1 << 20;
/** Memory that batches may hold while they are gathered. */
const GROUP_BYTES_MAX = 32 << 20;
/** Rows of one turn of round-robin. */
const TURN_ROWS = 16_384;

export interface PartitionerOptions {
  readonly arena: Arena;
  /** Whom new batches are counted for. */
  readonly owner: OwnerId;
  readonly schema: Schema;
  /** Gets each batch with its partition; it then owns the batch. */
  readonly emit: (partition: number, batch: Batch) => void;
}

/** Spreads batches over partitions. Rows keep their order within a partition; the same input gives the same output. */
export interface Partitioner {
  readonly partitions: number;
  /** Takes over the batch, also when it throws. Emits when enough has come together. */
  add(batch: Batch): void;
  /** Emits what is held back: before a checkpoint's barrier, and at the end. */
  flush(): void;
  /** Frees what is held back. Idempotent. */
  close(): void;
}

/** @throws {ShuffleError} "type" for keys that do not exist or cannot be partitioned by, "limit" for too many partitions */
export function createPartitioner(partitioning: Partitioning, options: PartitionerOptions): Partitioner {
  const partitions = partitionCount(partitioning);
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > PARTITIONS_MAX) {
    throw new ShuffleError("limit", `Cannot make ${partitions} partitions: 1 to ${PARTITIONS_MAX} are possible.`);
  }
  const { arena, schema } = options;
  switch (partitioning.kind) {
    case "hash": {
      const keys = partitioning.keys.map((name) => keyIndex(schema, name));
      for (const key of keys)
        checkHashKey(schema.fields[key]?.name ?? "", schema.fields[key]?.type ?? { kind: "null" });
      return partitions === 1
        ? new WholePartitioner(options, 1, "forward")
        : new RowPartitioner(options, new HashRouter(arena, keys, partitions), partitions);
    }
    case "range":
      for (const { name } of partitioning.keys) keyIndex(schema, name);
      return new RowPartitioner(options, new RangeRouter(arena, schema, partitioning), partitions);
    case "roundRobin":
      return new WholePartitioner(options, partitions, partitions === 1 ? "forward" : "roundRobin");
    case "broadcast":
    case "forward":
      return new WholePartitioner(options, partitions, partitioning.kind);
    default:
      return unreachable(partitioning);
  }
}

function keyIndex(schema: Schema, name: string): number {
  const index = fieldIndex(schema, name);
  const known = schema.fields.map((f) => f.name).join(", ");
  if (index < 0) throw new ShuffleError("type", `Cannot partition by "${name}": the rows have ${known}.`);
  return index;
}

/** By the values of rows. */
class RowPartitioner implements Partitioner {
  readonly partitions: number;
  readonly #options: PartitionerOptions;
  readonly #route: RouteOptions;
  readonly #groupRows: number;
  #group: RoutedBatch[] = [];
  #rows = 0;
  #bytes = 0;

  constructor(options: PartitionerOptions, router: Router, partitions: number) {
    const { arena, owner } = options;
    this.partitions = partitions;
    this.#options = options;
    this.#route = { arena, owner, router, partitions, kernels: partitionKernels(arena) };
    this.#groupRows = Math.min(Math.max(GROUP_ROWS_MIN, partitions * ROWS_PER_PARTITION), GROUP_ROWS_MAX);
  }

  add(batch: Batch): void {
    const { arena } = this.#options;
    if (batch.rowCount === 0) return releaseBatch(arena, batch);
    const bytes = batchBlockBytes(arena, batch);
    if (this.#rows > 0 && (this.#rows + batch.rowCount > this.#groupRows || this.#bytes + bytes > GROUP_BYTES_MAX)) {
      try {
        this.flush();
      } catch (error) {
        releaseBatch(arena, batch);
        throw error;
      }
    }
    try {
      this.#group.push(routeBatch(batch, this.#route));
    } catch (error) {
      releaseBatch(arena, batch);
      throw error;
    }
    this.#rows += batch.rowCount;
    this.#bytes += bytes;
    if (this.#rows >= this.#groupRows) this.flush();
  }

  flush(): void {
    if (this.#rows === 0) return;
    let batches: (Batch | null)[];
    try {
      batches = scatter(this.#options.schema, this.#group, this.#route);
    } finally {
      this.close();
    }
    emitAll(this.#options, batches);
  }

  close(): void {
    const { arena } = this.#options;
    for (const { batch, block } of this.#group) {
      arena.release(block);
      releaseBatch(arena, batch);
    }
    this.#group = [];
    this.#rows = 0;
    this.#bytes = 0;
  }
}

/** Should `emit` throw, the batches that it has not been given are freed. */
function emitAll({ arena, emit }: PartitionerOptions, batches: readonly (Batch | null)[]): void {
  let next = 0;
  try {
    while (next < batches.length) {
      const batch = batches[next++];
      if (batch) emit(next - 1, batch);
    }
  } catch (error) {
    for (const batch of batches.slice(next)) if (batch) releaseBatch(arena, batch);
    throw error;
  }
}

/** Passes batches on without looking at rows. */
class WholePartitioner implements Partitioner {
  readonly partitions: number;
  readonly #options: PartitionerOptions;
  readonly #kind: "roundRobin" | "broadcast" | "forward";
  #turn = 0;

  constructor(options: PartitionerOptions, partitions: number, kind: "roundRobin" | "broadcast" | "forward") {
    this.partitions = partitions;
    this.#options = options;
    this.#kind = kind;
  }

  add(batch: Batch): void {
    const { arena, emit } = this.#options;
    if (batch.rowCount === 0) return releaseBatch(arena, batch);
    switch (this.#kind) {
      case "forward":
        return emit(0, batch);
      case "broadcast": {
        for (let copies = 1; copies < this.partitions; copies++) retainBatch(arena, batch);
        return emitAll(
          this.#options,
          Array.from({ length: this.partitions }, () => batch),
        );
      }
      case "roundRobin":
        return this.#deal(batch);
      default:
        return unreachable(this.#kind);
    }
  }

  flush(): void {
    invariant(this.#turn < this.partitions, "a turn is a partition");
  }

  close(): void {
    this.flush();
  }

  #deal(batch: Batch): void {
    const { arena, emit, owner } = this.#options;
    if (batch.rowCount <= TURN_ROWS) {
      emit(this.#nextTurn(), batch);
      return;
    }
    try {
      for (let start = 0; start < batch.rowCount; start += TURN_ROWS) {
        const end = Math.min(start + TURN_ROWS, batch.rowCount);
        emit(this.#nextTurn(), sliceBatch(arena, batch, start, end, owner));
      }
    } finally {
      releaseBatch(arena, batch);
    }
  }

  #nextTurn(): number {
    const turn = this.#turn;
    this.#turn = (turn + 1) % this.partitions;
    return turn;
  }
}
