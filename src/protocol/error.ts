import { SageError, type SageErrorOptions } from "../kernel/mod.ts";

export type ProtocolErrorCode =
  /** Longer, deeper or more than a limit allows. */
  | "too-large"
  /** Bytes that are no frame, value or message at all. */
  | "malformed"
  /** Well-formed, but not what is expected there; `path` names the field. */
  | "schema"
  /** No version that both sides speak. */
  | "unknown-version"
  | "unknown-method"
  /** The caller's role does not reach. */
  | "forbidden"
  /** Too many calls at once; retryable. */
  | "overloaded"
  | "deadline"
  | "cancelled"
  /** The session ended before the answer came; retryable. */
  | "closed";

const RETRYABLE: ReadonlySet<ProtocolErrorCode> = new Set(["overloaded", "closed"]);

export type ProtocolErrorOptions = SageErrorOptions & {
  /** Dotted path of the offending field. */
  readonly path?: string;
};

/** What came from another process breaks the rules, or the exchange with it ended without an answer. */
export class ProtocolError extends SageError<ProtocolErrorCode> {
  override readonly name = "ProtocolError";
  readonly path: string | null;

  constructor(code: ProtocolErrorCode, message: string, options: ProtocolErrorOptions = {}) {
    super(code, message, { retryable: RETRYABLE.has(code), ...options });
    this.path = options.path ?? null;
  }
}

const CODES: ReadonlySet<string> = new Set<ProtocolErrorCode>([
  "too-large",
  "malformed",
  "schema",
  "unknown-version",
  "unknown-method",
  "forbidden",
  "overloaded",
  "deadline",
  "cancelled",
  "closed",
]);

export function isProtocolErrorCode(code: string): code is ProtocolErrorCode {
  return CODES.has(code);
}

/** A handler on the other side refused or failed; `code`, message and `retryable` are those of its error. */
export class RemoteError extends SageError {
  override readonly name = "RemoteError";
  /** Of the method that was called. */
  readonly method: string;

  constructor(method: string, error: { readonly code: string; readonly message: string; readonly retryable: boolean }) {
    super(error.code, error.message, { retryable: error.retryable });
    this.method = method;
  }
}
