import { SageError } from "../../kernel/mod.ts";

export type StateErrorCode =
  /** A command or snapshot of a format that this software does not know: it must stop, not skip. */
  | "newer-format"
  /** Bytes that are no snapshot. */
  | "bad-snapshot"
  /** A command that may not be proposed: over a limit or not as its schema says. */
  | "bad-command";

/** This replica cannot go on with what it was given. Refused commands are results, not errors. */
export class StateError extends SageError<StateErrorCode> {
  override readonly name = "StateError";
}
