/**
 * What one task writes for one reader, in order: batches in the arena, or on disk where memory is short. Newer ones are
 * spilled first, as they are read last.
 */
import {
  type Arena,
  type Batch,
  batchBlockBytes,
  type OwnerId,
  releaseBatch,
  retainBatch,
  type Schema,
} from "../arrow/mod.ts";
import { invariant } from "../kernel/mod.ts";
import { ShuffleError } from "./error.ts";
import type { MemoryShare } from "./memory_share.ts";
import type { SpillFile, SpillPlace } from "./spill.ts";
import type { PartitionKey } from "./ticket.ts";
import { retyped } from "./wide_indices.ts";

/** `pipelined`: freed once the reader has acknowledged it. `blocking`: kept until the job ends, for readers to come. */
export type ExchangeKind = "pipelined" | "blocking";

export interface LogOptions {
  readonly kind: ExchangeKind;
  /** Unacknowledged bytes above which `isFull` asks the writer of a pipelined exchange to wait. */
  readonly windowBytes: number;
}

export interface LogPorts {
  readonly arena: Arena;
  readonly owner: OwnerId;
  readonly share: MemoryShare;
  /** Null when there is no disk to spill to. */
  readonly createSpill: (() => SpillFile) | null;
}

export interface LogItem {
  readonly batch: Batch;
  readonly epoch: number;
}

interface Entry {
  batch: Batch | null;
  place: SpillPlace | null;
  readonly epoch: number;
  readonly bytes: number;
}

export type LogState = "open" | "finished" | "failed" | "closed";

export class PartitionLog {
  readonly key: PartitionKey;
  readonly schema: Schema;
  readonly kind: ExchangeKind;
  readonly #ports: LogPorts;
  readonly #windowBytes: number;
  readonly #onClose: (() => void)[];
  #entries: Entry[] = [];
  /** Number of `#entries[0]`. */
  #firstIndex = 0;
  #bytes = 0;
  #spilledCount = 0;
  #spill: SpillFile | null = null;
  #state: LogState = "open";
  #failure: Error | null = null;
  #listener: (() => void) | null = null;
  #waiters: (() => void)[] = [];

  constructor(
    of: { readonly key: PartitionKey; readonly schema: Schema; readonly onClose: () => void },
    options: LogOptions,
    ports: LogPorts,
  ) {
    this.key = of.key;
    this.schema = of.schema;
    this.#onClose = [of.onClose];
    this.kind = options.kind;
    this.#windowBytes = options.windowBytes;
    this.#ports = ports;
  }

  get state(): LogState {
    return this.#state;
  }

  /** Why it failed. */
  get failure(): Error | null {
    return this.#failure;
  }

  /** Bytes of batches that are not acknowledged yet (of blocking exchanges: of all), in memory and on disk. */
  get bytes(): number {
    return this.#bytes;
  }

  get spilledBytes(): number {
    return this.#spill?.bytes ?? 0;
  }

  /** Number after that of the last batch. */
  get end(): number {
    return this.#firstIndex + this.#entries.length;
  }

  get firstIndex(): number {
    return this.#firstIndex;
  }

  /** Whether the writer should wait for `room` before it appends more. */
  get isFull(): boolean {
    return this.kind === "pipelined" && this.#bytes >= this.#windowBytes;
  }

  /** Settles when the log is not full, or over. */
  room(): Promise<void> {
    if (!this.isFull || this.#state !== "open") return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /**
   * Takes over the batch, also when it throws. An ended log drops it: its reader is gone.
   *
   * @throws {ShuffleError} spill; limit when memory is used up and there is no disk
   */
  append(batch: Batch, epoch = 0): void {
    const { arena, share } = this.#ports;
    if (this.#state !== "open") return releaseBatch(arena, batch);
    const bytes = batchBlockBytes(arena, batch);
    if (share.take(batch)) this.#entries.push({ batch, place: null, epoch, bytes });
    else {
      try {
        this.#entries.push({ batch: null, place: this.#spillBatch(batch), epoch, bytes });
        this.#spilledCount++;
      } finally {
        releaseBatch(arena, batch);
      }
    }
    this.#bytes += bytes;
    this.#listener?.();
  }

  /** No more batches come. */
  finish(): void {
    if (this.#state !== "open") return;
    this.#state = "finished";
    this.#notify();
  }

  /** The reader gets this error once it has asked for more. */
  fail(error: Error): void {
    if (this.#state === "closed" || this.#state === "failed") return;
    this.#state = "failed";
    this.#failure = error;
    this.#notify();
  }

  /**
   * Batch `index`, of which the caller then owns a reference; null when there is none yet.
   *
   * @throws {ShuffleError} gone when it was freed, spill
   */
  item(index: number): LogItem | null {
    if (index < this.#firstIndex || this.#state === "closed") {
      throw new ShuffleError("gone", `Cannot read batch ${index} of an exchange again: it was acknowledged and freed.`);
    }
    const entry = this.#entries[index - this.#firstIndex];
    if (entry === undefined) return null;
    const { arena, owner } = this.#ports;
    if (entry.batch !== null) {
      retainBatch(arena, entry.batch);
      return { batch: entry.batch, epoch: entry.epoch };
    }
    invariant(entry.place !== null && this.#spill !== null, "a batch is in memory or on disk");
    const batch = this.#spill.load(arena, entry.place, owner);
    return { batch: retyped(batch, this.schema), epoch: entry.epoch };
  }

  /** Batches before `index` were acknowledged. */
  forget(index: number): void {
    if (this.kind === "blocking") return;
    const count = Math.min(index - this.#firstIndex, this.#entries.length);
    if (count <= 0) return;
    for (const entry of this.#entries.splice(0, count)) this.#free(entry);
    this.#firstIndex += count;
    if (this.#spilledCount === 0) this.#dropSpill();
    if (!this.isFull) this.#wake();
  }

  /** Calls `listener` when there is more, or the end; one reader at a time. */
  listen(listener: (() => void) | null): void {
    this.#listener = listener;
  }

  /** Calls `run` when the log is closed. */
  onClose(run: () => void): void {
    this.#onClose.push(run);
  }

  /** Frees everything. Idempotent. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    for (const entry of this.#entries) this.#free(entry);
    this.#entries = [];
    this.#dropSpill();
    this.#notify();
    for (const run of this.#onClose.splice(0)) run();
  }

  #spillBatch(batch: Batch): SpillPlace {
    const { createSpill, share, arena } = this.#ports;
    if (createSpill === null) {
      throw new ShuffleError(
        "limit",
        `Cannot keep more of an exchange in memory: its ${share.limitBytes} bytes are used, and there is no disk for the rest.`,
      );
    }
    this.#spill ??= createSpill();
    return this.#spill.append(arena, batch);
  }

  #free(entry: Entry): void {
    this.#bytes -= entry.bytes;
    if (entry.batch === null) {
      this.#spilledCount--;
      return;
    }
    this.#ports.share.give(entry.batch);
    releaseBatch(this.#ports.arena, entry.batch);
  }

  #dropSpill(): void {
    this.#spill?.close();
    this.#spill = null;
  }

  #notify(): void {
    this.#wake();
    this.#listener?.();
  }

  #wake(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }
}
