import { SageError, type SageErrorOptions } from "../../kernel/mod.ts";

export type ConsensusErrorCode =
  /** No majority answered in time; whether a proposal was taken is not known. */
  | "timeout"
  /** More is on its way than this node may hold. */
  | "full"
  | "too-large"
  /** This node is going, or has failed. */
  | "stopped";

/** A proposal or read got no answer. */
export class ConsensusError extends SageError<ConsensusErrorCode> {
  override readonly name = "ConsensusError";

  constructor(code: ConsensusErrorCode, message: string, options: SageErrorOptions = {}) {
    super(code, message, { retryable: code === "timeout" || code === "full", ...options });
  }
}
