import { SageError, type SageErrorOptions } from "../kernel/mod.ts";

export type ShuffleErrorCode =
  /** A ticket or message of an attempt that is not the current one. */
  | "fenced"
  /** Nobody here writes, or will take, what the ticket names; retryable while the attempt is being deployed. */
  | "unknown-partition"
  /** What was asked for is acknowledged and freed. */
  | "gone"
  /** The peer may not have this partition. */
  | "forbidden"
  /** Bytes do not match their checksum, or are no Arrow. */
  | "corrupt"
  /** The other side breaks the rules of the exchange. */
  | "protocol"
  /** The producer failed; the message is its own. */
  | "producer-failed"
  /** The connection stayed away for longer than allowed; retryable. */
  | "unreachable"
  /** Spilled data cannot be written or read. */
  | "spill"
  /** More than a limit allows. */
  | "limit"
  /** Cancelled, or used after its end. */
  | "closed"
  /** Columns that cannot be partitioned by. */
  | "type";

const RETRYABLE: ReadonlySet<ShuffleErrorCode> = new Set(["unknown-partition", "unreachable"]);

/** An exchange between tasks cannot go on. */
export class ShuffleError extends SageError<ShuffleErrorCode> {
  override readonly name = "ShuffleError";

  constructor(code: ShuffleErrorCode, message: string, options: SageErrorOptions = {}) {
    super(code, message, { retryable: RETRYABLE.has(code), ...options });
  }
}

const CODES: ReadonlySet<string> = new Set<ShuffleErrorCode>([
  "fenced",
  "unknown-partition",
  "gone",
  "forbidden",
  "corrupt",
  "protocol",
  "producer-failed",
  "unreachable",
  "spill",
  "limit",
  "closed",
  "type",
]);

export function isShuffleErrorCode(code: string): code is ShuffleErrorCode {
  return CODES.has(code);
}
