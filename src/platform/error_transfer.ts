import { ExecError, type ExecErrorCode } from "../exec/mod.ts";
import { SageError } from "../kernel/mod.ts";

/** An error as plain data: structured cloning would lose class, code and operator. */
export interface TransferredError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: string | undefined;
  readonly operator: number | undefined;
  readonly row: number | undefined;
  readonly holder: number | undefined;
  readonly cause: TransferredError | undefined;
}

const CAUSE_DEPTH_MAX = 8;

export function serializeError(error: unknown, depth = 0): TransferredError {
  if (!(error instanceof Error)) return { ...NO_DETAILS, name: "Error", message: describe(error) };
  const { name, message, stack } = error;
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const place = error instanceof ExecError ? error : { operator: undefined, row: undefined, holder: undefined };
  const deeper = error.cause !== undefined && depth < CAUSE_DEPTH_MAX;
  const cause = deeper ? serializeError(error.cause, depth + 1) : undefined;
  return { name, message, stack, code, operator: place.operator, row: place.row, holder: place.holder, cause };
}

export function deserializeError(transferred: TransferredError): Error {
  const error = newError(transferred);
  if (transferred.stack !== undefined) error.stack = transferred.stack;
  return error;
}

const NO_DETAILS = {
  stack: undefined,
  code: undefined,
  operator: undefined,
  row: undefined,
  holder: undefined,
  cause: undefined,
};

function newError(transferred: TransferredError): Error {
  const { name, message, code, operator, row, holder } = transferred;
  const cause = transferred.cause === undefined ? undefined : deserializeError(transferred.cause);
  // The other side made it with this class and so with one of its codes.
  if (name === "ExecError") return new ExecError(code as ExecErrorCode, message, { operator, row, holder, cause });
  if (code !== undefined)
    return Object.defineProperty(new SageError(code, message, { cause }), "name", { value: name });
  const error = new Error(message, { cause });
  error.name = name;
  return error;
}

function describe(thrown: unknown): string {
  return typeof thrown === "string" ? thrown : `thrown value ${String(thrown)}`;
}
