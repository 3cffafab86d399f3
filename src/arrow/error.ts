import { SageError } from "../kernel/mod.ts";

/**
 * - `memoryLimit`: an allocation does not fit; see {@link MemoryLimitError} for the figures
 * - `type`: a value or a column does not have the type that is declared
 * - `corrupt`: bytes are not valid Arrow; the message says which byte
 * - `unsupported`: valid Arrow of a kind that SAGE does not carry
 */
export type ArrowErrorCode = "memoryLimit" | "type" | "corrupt" | "unsupported";

export class ArrowError extends SageError<ArrowErrorCode> {
  override readonly name: string = "ArrowError";
}

export type MemoryNeed = {
  readonly owner: number;
  readonly needBytes: number;
  readonly limitBytes: number;
  readonly inUseBytes: number;
  /** Who holds most of it. */
  readonly holder: number;
};

/** Thrown by `Arena.allocate`: nothing was allocated and nothing is lost. */
export class MemoryLimitError extends ArrowError {
  override readonly name: string = "MemoryLimitError";
  readonly owner: number;
  readonly needBytes: number;
  readonly limitBytes: number;
  readonly inUseBytes: number;
  readonly holder: number;

  constructor(need: MemoryNeed) {
    const fits = need.inUseBytes + need.needBytes <= need.limitBytes;
    super(
      "memoryLimit",
      `Cannot allocate ${need.needBytes} bytes for operator ${need.owner}: ${need.inUseBytes} of ${need.limitBytes} bytes ` +
        `are in use${fits ? " and no free range is long enough" : ""}. Give the job more memory or let it keep less.`,
    );
    this.owner = need.owner;
    this.needBytes = need.needBytes;
    this.limitBytes = need.limitBytes;
    this.inUseBytes = need.inUseBytes;
    this.holder = need.holder;
  }
}
