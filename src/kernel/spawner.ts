/** Port to processes that a node starts: executors. `platform/` starts real ones, tests and the simulator pretend. */

export interface SpawnOptions {
  /** What the process is to be; the platform knows how to start it. */
  readonly kind: "executor";
  /** First line on its standard input, which stays open: its end tells the process to end at once. */
  readonly firstLine: string;
  /** Share of the processors against other processes when all want them; 100 is the usual one. */
  readonly cpuWeight: number;
  /** Added to what it inherits. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ProcessUsage {
  /** Memory that it has resident, shared pages too. */
  readonly residentBytes: number;
  /** Processor time of all its threads since it began. */
  readonly cpuMs: number;
}

/** Why a process ended. */
export interface ProcessExit {
  /** Null when a signal ended it, or it could not be started. */
  readonly code: number | null;
  readonly signal: string | null;
  /** The system ended it for the memory that it took. */
  readonly isOutOfMemory: boolean;
  /** Why it could not be started; null when it was. */
  readonly startError: string | null;
}

export interface SpawnedProcess {
  /** 0 when it could not be started. */
  readonly pid: number;
  /** Ends it by force. */
  kill(): void;
  /** Null while unknown, and where the system does not tell. The newest that is known, without waiting. */
  usage(): ProcessUsage | null;
  /** Has the system hold the process to so much memory; false where it cannot: the caller watches `usage` then. */
  limitMemory(bytes: number): boolean;
}

/** None is called before `spawn` has returned. */
export interface SpawnHooks {
  /** What it wrote; valid until this call returns. */
  output(stream: "out" | "err", bytes: Uint8Array): void;
  /** Last call, exactly once: it is gone, and all it wrote was given. */
  exited(how: ProcessExit): void;
}

export interface Spawner {
  spawn(options: SpawnOptions, hooks: SpawnHooks): SpawnedProcess;
}
