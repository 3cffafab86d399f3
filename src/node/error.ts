import { SageError, type SageErrorOptions } from "../kernel/mod.ts";

export type NodeErrorCode =
  /** Joining needs a token. */
  | "no-token"
  /** It belongs to another cluster than the one it was told to join. */
  | "other-cluster"
  | "not-found"
  | "not-possible"
  /** Something still needs what was to end; see the message for what. */
  | "in-use"
  | "refused"
  /** Another node leads, or none does now; retryable. */
  | "not-leader"
  | "job-failed"
  | "job-cancelled"
  /** What a finished job gave for its client is gone, with the node that kept it. */
  | "rows-lost"
  | "stopping";

const RETRYABLE: ReadonlySet<NodeErrorCode> = new Set(["stopping", "not-leader"]);

/** A node could not start, or cannot do what it was asked. */
export class NodeError extends SageError<NodeErrorCode> {
  override readonly name = "NodeError";

  constructor(code: NodeErrorCode, message: string, options: SageErrorOptions = {}) {
    super(code, message, { retryable: RETRYABLE.has(code), ...options });
  }
}
