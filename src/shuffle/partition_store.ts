import { type Arena, type OwnerId, type Schema } from "../arrow/mod.ts";
import type { Compression, Disk } from "../kernel/mod.ts";
import { ShuffleError } from "./error.ts";
import { MemoryShare } from "./memory_share.ts";
import { type LogOptions, PartitionLog } from "./partition_log.ts";
import { SpillFile } from "./spill.ts";
import { keyText, type PartitionKey } from "./ticket.ts";

/** Partitions that one store holds. */
export const LOGS_MAX = 65_536;
export const WINDOW_BYTES = 4 << 20;

export interface StoreOptions {
  readonly arena: Arena;
  readonly owner: OwnerId;
  readonly compression: Compression;
  /** What all partitions together may hold in the arena; more goes to disk. */
  readonly memoryBytesMax: number;
  /** Of a pipelined partition that its reader has not taken; default `WINDOW_BYTES`. */
  readonly windowBytes?: number;
  /** A directory of the store's own, made when first needed; null when nothing may be spilled. */
  readonly spill: { readonly disk: Disk; readonly directory: string } | null;
}

/** All that tasks of this process write for others. */
export class PartitionStore {
  readonly share: MemoryShare;
  readonly #options: StoreOptions;
  readonly #logs = new Map<string, PartitionLog>();
  /** Newest attempt of each job. */
  readonly #attempts = new Map<string, number>();
  readonly #waiters = new Map<string, Set<() => void>>();
  #spillCount = 0;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.share = new MemoryShare(options.arena, options.memoryBytesMax);
  }

  get arena(): Arena {
    return this.#options.arena;
  }

  get compression(): Compression {
    return this.#options.compression;
  }

  /** @throws {ShuffleError} fenced, limit; protocol when it exists already */
  create(key: PartitionKey, schema: Schema, options: Partial<LogOptions> = {}): PartitionLog {
    this.checkAttempt(key);
    const text = keyText(key);
    if (this.#logs.has(text)) throw new ShuffleError("protocol", `Cannot write partition ${text} twice.`);
    if (this.#logs.size >= LOGS_MAX) {
      throw new ShuffleError("limit", `Cannot write more than ${LOGS_MAX} partitions in one process.`);
    }
    this.fence(key.job, key.attempt);
    const { arena, owner, spill, windowBytes = WINDOW_BYTES } = this.#options;
    const createSpill = spill === null ? null : () => this.#createSpill(spill);
    const log = new PartitionLog(
      { key, schema, onClose: () => this.#logs.delete(text) },
      { kind: options.kind ?? "pipelined", windowBytes: options.windowBytes ?? windowBytes },
      { arena, owner, share: this.share, createSpill },
    );
    this.#logs.set(text, log);
    for (const wake of this.#waiters.get(text) ?? []) wake();
    this.#waiters.delete(text);
    return log;
  }

  get(key: PartitionKey): PartitionLog | null {
    return this.#logs.get(keyText(key)) ?? null;
  }

  /** Calls `then` once the partition is created; gives a function that takes this back. */
  await(key: PartitionKey, then: () => void): () => void {
    const text = keyText(key);
    const waiters = this.#waiters.get(text) ?? new Set();
    this.#waiters.set(text, waiters.add(then));
    return () => {
      waiters.delete(then);
      if (waiters.size === 0 && this.#waiters.get(text) === waiters) this.#waiters.delete(text);
    };
  }

  /** @throws {ShuffleError} fenced for an attempt older than the newest known */
  checkAttempt({ job, attempt }: PartitionKey): void {
    const newest = this.#attempts.get(job);
    if (newest === undefined || attempt >= newest) return;
    throw new ShuffleError("fenced", `Attempt ${attempt} of job ${job} is over: attempt ${newest} runs.`);
  }

  /** From now on only `attempt` of the job is served; partitions of older ones are freed. */
  fence(job: string, attempt: number): void {
    const newest = this.#attempts.get(job) ?? -1;
    if (attempt <= newest) return;
    this.#attempts.set(job, attempt);
    for (const log of this.#logs.values()) {
      if (log.key.job !== job || log.key.attempt >= attempt) continue;
      log.fail(
        new ShuffleError("fenced", `Attempt ${log.key.attempt} of job ${job} is over: attempt ${attempt} runs.`),
      );
      log.close();
    }
  }

  /** Frees all that the job wrote; its older attempts stay refused. */
  release(job: string): void {
    for (const log of this.#logs.values()) if (log.key.job === job) log.close();
  }

  /** Frees everything. */
  close(): void {
    for (const log of this.#logs.values()) log.close();
    const { spill } = this.#options;
    if (spill !== null && this.#spillCount > 0) spill.disk.remove(spill.directory);
  }

  #createSpill({ disk, directory }: { readonly disk: Disk; readonly directory: string }): SpillFile {
    disk.makeDirectory(directory);
    return new SpillFile(`${directory}/exchange-${this.#spillCount++}.arrows`, {
      disk,
      compression: this.#options.compression,
    });
  }
}
