/**
 * Virtual time: one queue of events in the order of their moments, and chance from one seed.
 *
 * An event belongs to the world or to a host. After each event promises are settled (`settle`, given by the platform),
 * so that code which awaits behaves the same in every run. All that happens is decided by the seed.
 */
import { InvariantError } from "../../kernel/mod.ts";
import { type Event, EventQueue } from "./event_queue.ts";
import { type Host, HostCrash } from "./host.ts";
import { Seeded } from "./seeded.ts";

/** Runs all promise callbacks that can run: when it returns, or when what it gives resolves. */
export type Settle = () => Promise<void> | undefined;

export interface WorldOptions {
  readonly seed: number;
  readonly settle: Settle;
}

/** Told when an event begins, and when all is done that it set off at once. */
export interface WorldObserver {
  readonly begins: (host: Host | null) => void;
  readonly ends: (host: Host | null) => void;
}

export interface Scheduled {
  readonly atMs: number;
  readonly run: () => void;
  readonly host?: Host;
}

/** 2026-01-01: any moment will do. */
const WALL_ORIGIN_MS = 1_767_225_600_000;
/** More events at one moment than this is a loop that never waits. */
const EVENTS_AT_ONE_MOMENT_MAX = 1_000_000;

export class World {
  readonly random: Seeded;
  observer: WorldObserver | null = null;
  readonly #settle: Settle;
  readonly #queue = new EventQueue();
  #sequence = 0;
  #nowMs = 0;
  #eventCount = 0;
  #eventsAtMoment = 0;
  #fingerprint = 0;

  constructor(options: WorldOptions) {
    this.random = new Seeded(options.seed);
    this.#settle = options.settle;
  }

  get nowMs(): number {
    return this.#nowMs;
  }
  get wallMs(): number {
    return WALL_ORIGIN_MS + this.#nowMs;
  }
  /** Events that have happened. */
  get eventCount(): number {
    return this.#eventCount;
  }

  /** A hash of when and where everything happened so far: equal runs have equal ones. */
  get fingerprint(): number {
    return this.#fingerprint >>> 0;
  }

  /** Adds `value` to the fingerprint. */
  mark(value: number): void {
    this.#fingerprint = Math.imul(this.#fingerprint ^ value, 0x01000193) ^ (this.#fingerprint >>> 15);
  }

  /** Gives a function that cancels it. An event of a host that is down, or of an earlier life, does not happen. */
  schedule({ atMs, run, host }: Scheduled): () => void {
    const event: Event = {
      atMs: Math.max(atMs, this.#nowMs),
      sequence: this.#sequence++,
      run,
      host: host ?? null,
      life: host?.life ?? 0,
    };
    this.#queue.push(event);
    return () => {
      event.run = null;
    };
  }

  after(delayMs: number, run: () => void): () => void {
    return this.schedule({ atMs: this.#nowMs + delayMs, run });
  }

  /** Lets time go on for `durationMs`, or until `isDone`, which is asked after each event. */
  async run(durationMs: number, isDone: () => boolean = () => false): Promise<void> {
    const endMs = this.#nowMs + durationMs;
    while (!isDone()) {
      const event = this.#queue.peek();
      if (event === undefined || event.atMs > endMs) {
        this.#nowMs = endMs;
        return;
      }
      this.#queue.pop();
      this.observer?.begins(event.host);
      if (this.#happens(event)) {
        const settled = this.#settle();
        if (settled !== undefined) await settled;
      }
      this.observer?.ends(event.host);
    }
  }

  #happens(event: Event): boolean {
    const { host, run } = event;
    if (run === null) return false;
    if (host !== null) {
      if (!host.isUp || host.life !== event.life) return false;
      if (host.busyUntilMs > event.atMs) {
        event.atMs = host.busyUntilMs;
        event.sequence = this.#sequence++;
        this.#queue.push(event);
        return false;
      }
    }
    this.#advance(event.atMs);
    this.mark(event.sequence);
    this.mark(event.atMs * 1000);
    try {
      run();
    } catch (error) {
      if (!(error instanceof HostCrash)) throw error;
    }
    return true;
  }

  #advance(atMs: number): void {
    this.#eventCount++;
    this.#eventsAtMoment = atMs > this.#nowMs ? 0 : this.#eventsAtMoment + 1;
    if (this.#eventsAtMoment > EVENTS_AT_ONE_MOMENT_MAX) {
      throw new InvariantError(`Time stands still at ${this.#nowMs} ms: something schedules without waiting`);
    }
    this.#nowMs = Math.max(this.#nowMs, atMs);
  }
}
