import { MemoryLimitError } from "../arrow/mod.ts";
import { CodegenFailure } from "../codegen/mod.ts";
import type { OperatorId, OperatorInfo } from "../plan/mod.ts";
import { ExecError } from "./error.ts";

/** What generated code or the arena threw, as the error that a user understands. */
export function translateFailure(error: unknown, operator: OperatorId): unknown {
  if (!(error instanceof CodegenFailure)) return memoryFailure(error, operator);
  const { message, site, row } = error;
  return new ExecError(site.code, message, { operator: site.operator, row, cause: error });
}

/** The arena's refusal with the operator that asked and the one that holds most; other errors as they are. */
export function memoryFailure(error: unknown, operator: OperatorId): unknown {
  if (!(error instanceof MemoryLimitError)) return error;
  const { needBytes, inUseBytes, limitBytes, owner, holder } = error;
  const fits = inUseBytes + needBytes <= limitBytes ? ", in pieces that are too short" : "";
  const message =
    `not enough memory: ${bytesText(needBytes)} more are needed, but of the ${bytesText(limitBytes)} that the job ` +
    `may use ${bytesText(inUseBytes)} are taken${fits}`;
  return new ExecError("memoryLimit", message, { operator: owner === 0 ? operator : owner, holder, cause: error });
}

/**
 * The failure as users read it: it begins with the operator's kind and number, as `sage explain` shows them. What is no
 * failure of an operator stays as it is.
 */
export function namedFailure(error: unknown, operators: readonly OperatorInfo[]): unknown {
  if (!(error instanceof ExecError)) return error;
  const nameOf = (id: OperatorId | undefined) => {
    const info = id === undefined ? undefined : operators[id - 1];
    return info === undefined ? null : `${info.name} #${info.id}`;
  };
  const name = nameOf(error.operator);
  const message = error.code === "memoryLimit" ? memoryText(error, nameOf(error.holder)) : error.message;
  const { code, operator, row, holder } = error;
  if (name === null && message === error.message) return error;
  // With the first error's stack, in which the user's line is.
  const isUsers = code === "userFunction" || code === "wrongShape";
  const text = name === null ? message : `${name}${isUsers ? ` failed at row ${row}` : ""}: ${message}`;
  return new ExecError(code, text, { operator, row, holder, cause: error.cause ?? error });
}

function memoryText({ message }: ExecError, holder: string | null): string {
  const most = holder === null ? "" : `, most of it by ${holder}`;
  return `${message}${most}. Allow more with --memory (in programs memoryBytes), or keep fewer columns and groups.`;
}

const BYTE_UNITS = ["B", "kB", "MB", "GB"];

function bytesText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  for (; value >= 1_000 && unit < BYTE_UNITS.length - 1; unit++) value /= 1_000;
  return `${unit === 0 || value >= 100 ? Math.ceil(value) : value.toFixed(1)} ${BYTE_UNITS[unit]}`;
}
