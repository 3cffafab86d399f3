/** What an executor needs of the machine. `platform/` gives threads, the simulator turns in one thread. */
import type { Arena } from "../arrow/mod.ts";
import type { Tools } from "../connectors/mod.ts";
import type { Pool } from "../exec/mod.ts";
import type { Address, Clock, Keys, Log, PeerId, Random, Transport } from "../kernel/mod.ts";
import type { UserPlace } from "../protocol/mod.ts";
import { PartitionStore, type StoreOptions, WINDOW_BYTES } from "../shuffle/mod.ts";

/** Code of the job that the executor was given. */
export interface JobCode {
  /** File with the job's module. */
  readonly bundlePath: string;
  /** Parameters that the builder gets, as JSON. */
  readonly params: string;
}

/** Memory and workers. */
export interface EnginePort {
  /** The one arena of the process; pools of all slots work over it. */
  readonly arena: Arena;
  readonly tools: Tools;
  /**
   * Workers for the tasks of one slot, with the job's functions; `code` null: a job without any. Of each slot there is at
   * most one pool at a time. `close` of a pool ends its workers soon, wherever they are, or, where they run no code of a
   * job and rest, may keep them warm for the slot's next pool. What waits for workers that are ended is rejected only when
   * they have stopped: the memory that they wrote to is used again.
   */
  openPool(slot: number, code: JobCode | null): Promise<Pool>;
  /** From now on all blocks of the arena together may take so much, and never more than the setup allows. */
  limitMemory(bytes: number): void;
  /** Called between batches on the executor's own thread: lets timers and the network in, collects garbage. */
  turn(): void | Promise<void>;
  /** Called now and then while tasks run and wait. */
  collectGarbage(): void;
  /** Where in the job's own files an error arose, by the stacks of it and its causes; null when it did not there. */
  placeOf(error: unknown, code: JobCode | null): UserPlace | null;
}

/** From the setup line; see `executorSetup`. */
export interface ExecutorSettings {
  readonly agent: PeerId;
  readonly agentAddresses: readonly Address[];
  /** Shown to the agent. */
  readonly credential: Uint8Array;
  readonly slots: number;
  /** For what does not fit into memory; made and removed by the agent. */
  readonly directory: string;
}

/** What tests take other ones of: such that windows are soon full, or wrong ones. */
export interface ExchangeParts {
  /** Of what one producer gives and its reader has not taken. */
  readonly windowBytes: number;
  createStore(options: StoreOptions): PartitionStore;
}

export const EXCHANGE_PARTS: ExchangeParts = {
  windowBytes: WINDOW_BYTES,
  createStore: (options) => new PartitionStore(options),
};

export interface ExecutorPorts {
  readonly pid: number;
  /** With the executor's own key; started and stopped by the executor. */
  readonly transport: Transport;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Log;
  readonly engine: EnginePort;
  /** Default `EXCHANGE_PARTS`. */
  readonly exchange?: ExchangeParts;
  /** The agent is gone, or the executor cannot go on: the process is to end. Called at most once. */
  ended(reason: string): void;
}
