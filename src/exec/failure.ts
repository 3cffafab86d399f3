import { MemoryLimitError } from "../arrow/mod.ts";
import { CodegenFailure, type FailureCode, type FailureSite } from "../codegen/mod.ts";
import type { OperatorId } from "../plan/mod.ts";
import { ExecError } from "./error.ts";

const REASON: Record<FailureCode, string> = {
  integerOverflow: "the result does not fit its integer type. Cast to a wider type, or use the wrapping operation",
  divisionByZero: "division by zero. Guard it with when(…), or cast to float64",
  castFailed: 'a value does not fit the type. Use cast(…, { onError: "null" }) to get null instead',
  decimalOverflow: "the result has more than 38 digits. Cast to float64, or to a decimal of smaller scale first",
  invalidArgument: "an argument is out of range",
  dateOutOfRange: "the date is out of range",
};

/** What generated code, the arena or a trap threw, as the error that a user understands. */
export function translateFailure(
  error: unknown,
  where: { readonly sites: readonly FailureSite[]; readonly operator: OperatorId },
): unknown {
  if (error instanceof CodegenFailure) {
    const site = where.sites[error.site];
    if (site === undefined) return error;
    const message = `Cannot compute ${site.expression}: ${REASON[site.code]}`;
    return new ExecError(site.code, message, { operator: site.operator, row: error.row });
  }
  return memoryFailure(error, where.operator);
}

/** The arena's refusal with the operator that asked; other errors as they are. */
export function memoryFailure(error: unknown, operator: OperatorId): unknown {
  if (!(error instanceof MemoryLimitError)) return error;
  return new ExecError("memoryLimit", error.message, {
    operator: error.owner === 0 ? operator : error.owner,
    cause: error,
  });
}
