/** Where a task's rows go. */
import { type Arena, type Batch, releaseBatch, type Schema } from "../arrow/mod.ts";
import { type SinkWriter, sinkOf, type Tools } from "../connectors/mod.ts";
import type { Clock } from "../kernel/mod.ts";
import type { ConnectorSpec } from "../plan/mod.ts";
import { ShuffleError } from "../shuffle/mod.ts";
import type { TaskOutputs } from "./outputs.ts";
import type { ResultRows } from "./result_rows.ts";
import type { TaskDisk } from "./task_disk.ts";

/** The only epoch of a bounded job. */
const EPOCH = 0;
/** Readers of a failed task learn why within this time. */
const FAILURE_KEPT_MS = 2_000;

export interface Target {
  readonly bytes: number;
  readonly spilledBytes: number;
  /** Time in which readers were behind. */
  readonly backpressureMs: number;
  /** Whether nobody wants rows any more. */
  readonly isUnwanted: boolean;
  /** Takes over the batch, also when it throws. */
  add(batch: Batch): void | Promise<void>;
  /** All rows were given. */
  finish(): void | Promise<void>;
  /** The task failed: what was given is void. */
  fail(reason: string): void;
  /** What was given is not needed, or the task was cancelled. Ends a wait of `add`. Idempotent. */
  drop(): void;
}

export class ExchangeTarget implements Target {
  backpressureMs = 0;
  readonly #outputs: TaskOutputs;
  readonly #clock: Clock;

  constructor(outputs: TaskOutputs, clock: Clock) {
    this.#outputs = outputs;
    this.#clock = clock;
  }

  get bytes(): number {
    return this.#outputs.bytes;
  }

  get spilledBytes(): number {
    return this.#outputs.spilledBytes;
  }

  get isUnwanted(): boolean {
    return this.#outputs.isUnwanted;
  }

  add(batch: Batch): void | Promise<void> {
    this.#outputs.add(batch);
    if (this.#outputs.full !== null) return this.#room();
  }

  finish(): void {
    this.#outputs.finish();
  }

  fail(reason: string): void {
    this.#outputs.fail(new ShuffleError("producer-failed", reason));
    this.#clock.wake(FAILURE_KEPT_MS, () => this.#outputs.close());
  }

  drop(): void {
    this.#outputs.close();
  }

  async #room(): Promise<void> {
    const startMs = this.#clock.nowMs();
    for (let full = this.#outputs.full; full !== null; full = this.#outputs.full) await full.room();
    this.backpressureMs += this.#clock.nowMs() - startMs;
  }
}

/** Rows for the client; its agent keeps them. */
export class ClientTarget implements Target {
  readonly spilledBytes = 0;
  readonly isUnwanted = false;
  readonly backpressureMs = 0;
  readonly #rows: ResultRows;

  constructor(rows: ResultRows) {
    this.#rows = rows;
  }

  get bytes(): number {
    return this.#rows.bytes;
  }

  add(batch: Batch): Promise<void> {
    return this.#rows.add(batch);
  }

  finish(): Promise<void> {
    return this.#rows.finish();
  }

  fail(): void {}

  drop(): void {}
}

/** A file, which stands only once it is committed. */
export class SinkTarget implements Target {
  readonly bytes = 0;
  readonly spilledBytes = 0;
  readonly isUnwanted = false;
  readonly backpressureMs = 0;
  readonly #arena: Arena;
  readonly #writer: SinkWriter;
  readonly #disk: TaskDisk;
  #isOver = false;
  #isPrepared = false;

  constructor(
    arena: Arena,
    tools: Tools & { readonly disk: TaskDisk },
    of: { readonly sink: ConnectorSpec; readonly schema: Schema },
  ) {
    this.#arena = arena;
    this.#disk = tools.disk;
    this.#writer = sinkOf(of.sink).open(of.sink, of.schema, { ...tools, arena });
  }

  async add(batch: Batch): Promise<void> {
    try {
      await this.#writer.write(batch);
    } finally {
      releaseBatch(this.#arena, batch);
    }
  }

  async finish(): Promise<void> {
    await this.#writer.prepare(EPOCH);
    this.#disk.markWhole();
    this.#isPrepared = true;
  }

  get isPrepared(): boolean {
    return this.#isPrepared && !this.#isOver;
  }

  async commit(): Promise<void> {
    await this.#writer.commit(EPOCH);
    this.#isOver = true;
  }

  fail(): void {
    this.drop();
  }

  drop(): void {
    try {
      // All file sinks abort at once; one that does not is not waited for.
      if (!this.#isOver) Promise.resolve(this.#writer.abort(EPOCH)).then(undefined, () => undefined);
      this.#isOver = true;
      this.#disk.removeMarks();
    } catch {
      // What led here is the failure that counts.
    }
  }
}
