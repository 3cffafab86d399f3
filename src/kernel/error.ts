/**
 * Bugs crash, failures are typed errors.
 *
 * `invariant` and `unreachable` guard what cannot happen; `SageError` is for what can: it has a stable `code`, says
 * what failed, the rule, the value and what to do, and keeps its cause.
 */

/** Thrown when the program itself is wrong. Never caught and turned into a result. */
export class InvariantError extends Error {
  override readonly name = "InvariantError";
}

/** Stops the program when `condition` is false: the caller or SAGE has a bug. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(`Invariant broken: ${message}`);
}

/** The end of an exhaustive switch: does not compile while a case is missing. */
export function unreachable(value: never): never {
  throw new InvariantError(`Unreachable value: ${JSON.stringify(value)}`);
}

export type SageErrorOptions = { readonly cause?: unknown; readonly retryable?: boolean };

/** Base of every domain's error class; `code` is stable and may be matched on. */
export class SageError<Code extends string = string> extends Error {
  override readonly name: string = "SageError";
  readonly code: Code;
  readonly retryable: boolean;

  constructor(code: Code, message: string, options: SageErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}
