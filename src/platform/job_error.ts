import { SageError, type SageErrorOptions } from "../kernel/mod.ts";

export type JobErrorCode = "missing" | "syntax" | "import" | "notADataflow" | "threw" | "bundle";

/** A place in a file that the user wrote. Line and column count from 1. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The whole line; null when the text is not at hand. */
  readonly lineText: string | null;
}

/** A job file that cannot be turned into a dataflow. */
export class JobError extends SageError<JobErrorCode> {
  override readonly name = "JobError";
  readonly location: SourceLocation | null;

  constructor(
    code: JobErrorCode,
    message: string,
    options: SageErrorOptions & { location?: SourceLocation | null } = {},
  ) {
    super(code, message, options);
    this.location = options.location ?? null;
  }
}

/** The line with a caret under the column, as compilers show it; empty without text. */
export function excerpt(location: SourceLocation): string {
  if (location.lineText === null) return "";
  const number = String(location.line);
  const text = location.lineText.replaceAll("\t", " ");
  const caret = " ".repeat(Math.max(0, location.column - 1));
  return `${number} | ${text}\n${" ".repeat(number.length)} | ${caret}^`;
}

/** The same words whichever bundler found it. */
export function unresolvedMessage(specifier: string): string {
  const isFile = specifier.startsWith(".") || specifier.startsWith("/");
  return isFile
    ? `Cannot find the file ${specifier} that is imported here. Imports name files with their ending.`
    : `Cannot find the package ${specifier} that is imported here. Install it beside the job.`;
}

export function missingExportMessage(name: string, module: string): string {
  return `${module} has no export named ${name}.`;
}
