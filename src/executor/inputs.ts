/** What a task reads of other tasks and of sources. */
import { type Arena, type Batch, batchBlockBytes, releaseBatch } from "../arrow/mod.ts";
import type { RoundReader, ScanSource } from "../exec/mod.ts";
import {
  EXCHANGE,
  type Exchange,
  type ExchangeScanOptions,
  PART,
  type PartScanOptions,
  splitsOfTask,
} from "../jobs/mod.ts";
import { type Clock, invariant } from "../kernel/mod.ts";
import type { ScanNode } from "../plan/mod.ts";
import type { InputPlace } from "../protocol/mod.ts";
import { type ExchangeInput, ExchangeReader, type Received, ShuffleError } from "../shuffle/mod.ts";
import { ExecutorError } from "./error.ts";

/** Batches of one round. */
const ROUND_BATCHES_MAX = 256;
/** A round costs workers and this thread as much as some ten thousand rows: few rows wait so long for more of them. */
const GATHER_MS_MAX = 10;
const GATHER_BYTES_MAX = 8 << 20;
/** Of the rows that a round may have. */
const GATHER_SHARE = 1 / 2;

export interface InputOptions {
  readonly arena: Arena;
  readonly clock: Clock;
  readonly exchanges: readonly Exchange[];
  /** By exchange the ids of those that the fragment reads. */
  readonly inputs: readonly number[];
  readonly places: readonly InputPlace[];
  /** Reads one producer's partition for this task. */
  readonly open: (place: InputPlace, exchange: Exchange) => ExchangeInput;
}

/** All inputs of one run of a task. */
export class TaskInputs {
  readonly #options: InputOptions;
  readonly #opened = new Map<number, ExchangeRounds>();
  #isClosed = false;

  constructor(options: InputOptions) {
    this.#options = options;
  }

  /** Rows of a scan that no connector gives by itself. */
  sourceOf(node: ScanNode): ScanSource | null {
    const { connector, options } = node.source;
    if (connector === EXCHANGE) {
      const { edge } = options as unknown as ExchangeScanOptions; // written by the planner
      return { kind: "rounds", open: () => this.reader(edge) };
    }
    if (connector !== PART) return null;
    const { source, index, count } = options as unknown as PartScanOptions; // written by `taskPlan`
    return { kind: "splits", connector: source, select: (splits) => splitsOfTask(splits, { index, count }) };
  }

  /** Begins to read an exchange; once each. */
  reader(edge: number): ExchangeRounds {
    invariant(!this.#opened.has(edge), `exchange ${edge} is read once by a task`);
    const rounds = this.#open(edge);
    this.#opened.set(edge, rounds);
    return rounds;
  }

  /** Tells all producers that nothing more is wanted; those too that were never asked. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const rounds of this.#opened.values()) rounds.close();
    for (const edge of this.#options.inputs) if (!this.#opened.has(edge)) this.#decline(edge);
  }

  /** A producer that nobody reads would wait for its reader. */
  #decline(edge: number): void {
    if (this.#options.exchanges[edge]?.isBlocking !== false) return;
    const rounds = this.#open(edge);
    rounds.begin();
    rounds.close();
  }

  #open(edge: number): ExchangeRounds {
    const { arena, clock, exchanges, places, open } = this.#options;
    const exchange = exchanges[edge];
    invariant(exchange !== undefined, `exchange ${edge} is in the plan`);
    const inputs = places
      .filter((place) => place.exchange === edge)
      .map((place) => new PlacedInput(place, open(place, exchange)));
    const reader = new ExchangeReader(arena, inputs, { order: exchange.isOrdered ? "producer" : "arrival" });
    return new ExchangeRounds({ arena, clock, reader });
  }
}

/** Failures that say that the producer must give its rows again. */
const LOST: ReadonlySet<string> = new Set([
  "gone",
  "unreachable",
  "unknown-partition",
  "closed",
  "producer-failed",
  "spill",
]);

/** An input whose failures name whose rows are missing. */
class PlacedInput implements ExchangeInput {
  readonly producer: number;
  readonly #place: InputPlace;
  readonly #input: ExchangeInput;

  constructor(place: InputPlace, input: ExchangeInput) {
    this.producer = place.producer.index;
    this.#place = place;
    this.#input = input;
  }

  start(changed: () => void): void {
    this.#input.start(changed);
  }

  take(): Received | null | "end" {
    try {
      return this.#input.take();
    } catch (cause) {
      if (!(cause instanceof ShuffleError) || !LOST.has(cause.code)) throw cause;
      const { producer, attempt } = this.#place;
      const who = `task ${producer.index} of fragment ${producer.fragment}, attempt ${attempt}`;
      const message = `Cannot read what ${who} gave: ${cause.message}`;
      throw new ExecutorError("inputLost", message, { cause, input: this.#place, retryable: true });
    }
  }

  close(): void {
    this.#input.close();
  }
}

/** An exchange as the plan's driver reads it. */
export class ExchangeRounds implements RoundReader {
  readonly #arena: Arena;
  readonly #clock: Clock;
  readonly #reader: ExchangeReader;
  #isClosed = false;
  /** What ended the exchange while there were still batches to hand on. */
  #failure: { readonly error: unknown } | null = null;
  /** Taken by `begin`. */
  #first: Batch | null = null;
  /** Ends the gathering of a round. */
  #endGathering: () => void = () => undefined;

  constructor(of: { readonly arena: Arena; readonly clock: Clock; readonly reader: ExchangeReader }) {
    this.#arena = of.arena;
    this.#clock = of.clock;
    this.#reader = of.reader;
  }

  /** Connects to the producers. */
  begin(): void {
    if (this.#isClosed || this.#first !== null || this.#failure !== null) return;
    try {
      this.#first = this.#reader.poll()?.batch ?? null;
    } catch (error) {
      this.#failure = { error };
    }
  }

  async next(rowsMax: number): Promise<readonly Batch[] | null> {
    const first = await this.#next();
    if (first === null) return null;
    const round: Round = { batches: [first], rows: first.rowCount, bytes: batchBlockBytes(this.#arena, first) };
    this.#takeThere(round, rowsMax);
    if (this.#wantsMore(round, rowsMax)) await this.#gather(round, rowsMax);
    return round.batches;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#first !== null) releaseBatch(this.#arena, this.#first);
    this.#first = null;
    this.#reader.close();
    this.#endGathering();
  }

  async #next(): Promise<Batch | null> {
    if (this.#failure !== null) throw this.#failure.error;
    const waiting = this.#first;
    this.#first = null;
    return waiting ?? (await this.#reader.next())?.batch ?? null;
  }

  #takeThere(round: Round, rowsMax: number): void {
    while (round.rows < rowsMax && round.batches.length < ROUND_BATCHES_MAX && round.bytes < GATHER_BYTES_MAX) {
      const more = this.#poll();
      if (more === null) break;
      round.batches.push(more);
      round.rows += more.rowCount;
      round.bytes += batchBlockBytes(this.#arena, more);
    }
  }

  #wantsMore({ batches, rows, bytes }: Round, rowsMax: number): boolean {
    if (this.#isClosed || this.#failure !== null || this.#reader.isEnded) return false;
    return rows < rowsMax * GATHER_SHARE && batches.length < ROUND_BATCHES_MAX && bytes < GATHER_BYTES_MAX;
  }

  async #gather(round: Round, rowsMax: number): Promise<void> {
    let isLate = false;
    const late = Promise.withResolvers<void>();
    this.#endGathering = () => {
      isLate = true;
      late.resolve();
    };
    const cancel = this.#clock.wake(GATHER_MS_MAX, this.#endGathering);
    while (!isLate && this.#wantsMore(round, rowsMax)) {
      await Promise.race([this.#reader.changed(), late.promise]);
      this.#takeThere(round, rowsMax);
    }
    cancel();
    this.#endGathering = () => undefined;
  }

  #poll(): Batch | null {
    if (this.#isClosed || this.#failure !== null) return null;
    try {
      return this.#reader.poll()?.batch ?? null;
    } catch (error) {
      this.#failure = { error };
      return null;
    }
  }
}

interface Round {
  readonly batches: Batch[];
  rows: number;
  bytes: number;
}
