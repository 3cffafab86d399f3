import { SageError, type SageErrorOptions } from "../kernel/mod.ts";

/** What the process ends with. */
export const EXIT = { ok: 0, jobFailed: 1, wrongUse: 2 } as const;

/** The command line itself is wrong: exit code 2, with the command whose help is worth reading. */
export class UsageError extends SageError<"usage"> {
  override readonly name = "UsageError";
  readonly command: string | null;

  constructor(message: string, options: SageErrorOptions & { readonly command?: string | null } = {}) {
    super("usage", message, options);
    this.command = options.command ?? null;
  }
}

/** Rows were computed but could not be handed over. */
export class OutputError extends SageError<"write"> {
  override readonly name = "OutputError";
}
