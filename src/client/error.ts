import { SageError, type SageErrorOptions } from "../kernel/mod.ts";

export type ClientErrorCode =
  /** No node of the cluster answered. */
  | "not-reachable"
  /** The nodes do not accept these credentials. */
  | "refused"
  /** More changes at once than a client may have. */
  | "busy"
  | "closed"
  /** The caller's signal was aborted; its reason is the cause. */
  | "aborted"
  /** No job of this number, id or name. */
  | "no-such-job"
  /** The text means several jobs. */
  | "ambiguous-job"
  /** What was to be submitted cannot be. */
  | "not-submittable";

/** A cluster could not be used. Errors of what was asked for come as `RemoteError`. */
export class ClientError extends SageError<ClientErrorCode> {
  override readonly name = "ClientError";

  constructor(code: ClientErrorCode, message: string, options: SageErrorOptions = {}) {
    super(code, message, { retryable: code === "not-reachable" || code === "busy", ...options });
  }
}

/** @throws {ClientError} aborted, once it is */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return;
  throw new ClientError("aborted", "It was called off by its caller.", { cause: signal.reason });
}
