import { MemoryLimitError } from "../arrow/mod.ts";
import { CodegenFailure } from "../codegen/mod.ts";
import type { OperatorId } from "../plan/mod.ts";
import { ExecError } from "./error.ts";

/** What generated code or the arena threw, as the error that a user understands. */
export function translateFailure(error: unknown, operator: OperatorId): unknown {
  if (!(error instanceof CodegenFailure)) return memoryFailure(error, operator);
  const { message, site, row } = error;
  return new ExecError(site.code, message, { operator: site.operator, row, cause: error });
}

/** The arena's refusal with the operator that asked; other errors as they are. */
export function memoryFailure(error: unknown, operator: OperatorId): unknown {
  if (!(error instanceof MemoryLimitError)) return error;
  return new ExecError("memoryLimit", error.message, {
    operator: error.owner === 0 ? operator : error.owner,
    cause: error,
  });
}
