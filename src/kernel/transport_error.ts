import { SageError, type SageErrorOptions } from "./error.ts";

export type TransportErrorCode =
  | "unreachable"
  | "refused"
  | "timeout"
  | "aborted"
  | "wrong-peer"
  | "bad-address"
  | "address-in-use"
  | "limit"
  | "stopped";

/** A connection or channel could not be made, or broke. */
export class TransportError extends SageError<TransportErrorCode> {
  override readonly name = "TransportError";

  constructor(code: TransportErrorCode, message: string, options: SageErrorOptions = {}) {
    super(code, message, { retryable: code === "unreachable" || code === "timeout" || code === "aborted", ...options });
  }
}
