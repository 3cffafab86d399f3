import { SageError, type SageErrorOptions } from "../kernel/mod.ts";
import type { InputPlace } from "../protocol/mod.ts";

export type ExecutorErrorCode =
  /** An order for a job or attempt that is not the one the executor has. */
  | "notAssigned"
  /** What an input's task gave is not there any more. */
  | "inputLost"
  /** A file was to be committed that was not prepared here. */
  | "notPrepared"
  /** A file cannot be put in its place. */
  | "disk";

/** An executor cannot do what it was told. */
export class ExecutorError extends SageError<ExecutorErrorCode> {
  override readonly name = "ExecutorError";
  /** For `inputLost`: whose rows are missing. */
  readonly input: InputPlace | null;

  constructor(
    code: ExecutorErrorCode,
    message: string,
    options: SageErrorOptions & { readonly input?: InputPlace } = {},
  ) {
    super(code, message, options);
    this.input = options.input ?? null;
  }
}
