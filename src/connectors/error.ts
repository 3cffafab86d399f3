import { SageError, type SageErrorOptions } from "../kernel/mod.ts";

export type ConnectorErrorCode =
  /** No such file or directory, or a pattern that nothing matches. */
  | "notFound"
  /** The file is not what its format says: damaged, truncated, or of another kind. */
  | "corrupt"
  /** Correct, but uses something that SAGE cannot read or write. */
  | "unsupported"
  /** A line or value that does not fit the schema. */
  | "badRow"
  /** Files of one source, or a declared schema and its file, disagree. */
  | "schemaMismatch"
  /** An option has a value that makes no sense. */
  | "option"
  /** The operating system refused a read or write. */
  | "io"
  | "unknownConnector";

/** A source or sink failed. The message names the file and the place in it. */
export class ConnectorError extends SageError<ConnectorErrorCode> {
  override readonly name = "ConnectorError";
}

/** Runs `step`; what is not yet a SageError (operating system, codec) becomes a ConnectorError that says `what`. */
export function guarded<T>(code: ConnectorErrorCode, what: () => string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    throw asConnectorError(cause, code, what);
  }
}

export function asConnectorError(cause: unknown, code: ConnectorErrorCode, what: () => string): unknown {
  if (cause instanceof SageError || (cause as { name?: string } | null)?.name === "InvariantError") return cause;
  const options: SageErrorOptions = { cause };
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ConnectorError(code, `${what()}: ${reason}`, options);
}
