import { SageError, type SageErrorOptions } from "../../kernel/mod.ts";

export type ContactErrorCode =
  | "not-reachable"
  /** It was told to join itself. */
  | "itself"
  | "bad-address";

/** No node could be talked to. */
export class ContactError extends SageError<ContactErrorCode> {
  override readonly name = "ContactError";

  constructor(code: ContactErrorCode, message: string, options: SageErrorOptions = {}) {
    super(code, message, { retryable: code === "not-reachable", ...options });
  }
}
