import { type Arena, type Batch, batchBytes, IpcWriter, releaseBatch, type Schema, sliceBatch } from "../arrow/mod.ts";
import { joinBytes } from "../kernel/mod.ts";
import { ROWS_BYTES_MAX } from "../protocol/mod.ts";
import { retyped, withWideIndices } from "../shuffle/mod.ts";
import { OWNER } from "./rows.ts";

/** Messages whose answers may be missing. */
const IN_FLIGHT_MAX = 4;
/** Wanted length of a message: well below the most, as what is estimated may be wrong. */
const PART_BYTES = 1 << 20;

export interface RowsMessage {
  /** Number of the first row within the run. */
  readonly fromRow: number;
  readonly rowCount: number;
  /** An Arrow IPC stream of its own. */
  readonly bytes: Uint8Array;
}

/** Rows of a task for the client, as messages; never more of them on their way than are answered soon. */
export class ResultRows {
  bytes = 0;
  readonly #arena: Arena;
  readonly #schema: Schema;
  readonly #send: (message: RowsMessage) => Promise<unknown>;
  #rowCount = 0;
  #messageCount = 0;
  #inFlight: Promise<unknown>[] = [];
  #failure: { readonly error: unknown } | null = null;

  constructor(arena: Arena, schema: Schema, send: (message: RowsMessage) => Promise<unknown>) {
    this.#arena = arena;
    this.#schema = schema;
    this.#send = send;
  }

  /** Takes over the batch, also when it throws. Waits while too much is on its way. */
  async add(batch: Batch): Promise<void> {
    try {
      await this.#addRows(batch);
    } finally {
      releaseBatch(this.#arena, batch);
    }
  }

  /** All rows were given: resolves when they are kept. Of no rows the schema is. */
  async finish(): Promise<void> {
    if (this.#messageCount === 0) await this.#post(this.#encode(null), 0);
    while (this.#inFlight.length > 0) await this.#oneAnswer();
    if (this.#failure !== null) throw this.#failure.error;
  }

  async #addRows(batch: Batch): Promise<void> {
    if (batch.rowCount === 0) return;
    const parts = Math.min(batch.rowCount, Math.ceil(batchBytes(this.#arena, batch) / PART_BYTES));
    if (parts > 1) return await this.#addParts(batch, parts);
    const bytes = this.#encode(batch);
    // Strings may be of very unequal length.
    if (bytes.length > ROWS_BYTES_MAX && batch.rowCount > 1) return await this.#addParts(batch, 2);
    await this.#post(bytes, batch.rowCount);
  }

  async #addParts(batch: Batch, parts: number): Promise<void> {
    for (let part = 0; part < parts; part++) {
      const start = Math.floor((part * batch.rowCount) / parts);
      const end = Math.floor(((part + 1) * batch.rowCount) / parts);
      if (start < end) await this.add(sliceBatch(this.#arena, batch, start, end, OWNER));
    }
  }

  async #post(bytes: Uint8Array, rowCount: number): Promise<void> {
    if (this.#failure !== null) throw this.#failure.error;
    const message = { fromRow: this.#rowCount, rowCount, bytes };
    this.#rowCount += rowCount;
    this.#messageCount++;
    this.bytes += bytes.length;
    const answer: Promise<unknown> = this.#send(message).then(undefined, (error: unknown) => {
      this.#failure ??= { error };
    });
    this.#inFlight.push(answer);
    while (this.#inFlight.length >= IN_FLIGHT_MAX) await this.#oneAnswer();
  }

  async #oneAnswer(): Promise<void> {
    await this.#inFlight.shift();
    if (this.#failure !== null) throw this.#failure.error;
  }

  #encode(batch: Batch | null): Uint8Array {
    // Joined dictionaries may be longer than the index types of files count to.
    const schema = withWideIndices(this.#schema);
    const wide = batch === null || schema === this.#schema ? batch : retyped(batch, schema);
    const writer = new IpcWriter(this.#arena, schema, "stream");
    const chunks = wide === null ? writer.writeSchema() : writer.write(wide);
    return joinBytes([...chunks, ...writer.finish()]);
  }
}
