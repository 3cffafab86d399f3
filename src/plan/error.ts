import { SageError } from "../kernel/mod.ts";

const CODES = [
  "unknownColumn",
  "ambiguousColumn",
  "duplicateColumn",
  /** Operands of types that the operation does not take. */
  "type",
  /** Wrong number of arguments, or an argument that must be a literal. */
  "argument",
  /** An aggregate where a row's expression is needed, or the reverse. */
  "aggregate",
  /** A dataflow that cannot be: nothing in it, too many operators, an option out of range. */
  "dataflow",
  /** Bytes that are no plan, or a plan that cannot be written as bytes. */
  "encoding",
  /** A parameter of the dataflow that is missing, unknown or of another type. */
  "parameter",
] as const;

export type PlanErrorCode = (typeof CODES)[number];

/** Whether an error that came over the wire, with its code alone, is one of a plan. */
export function isPlanErrorCode(code: string): code is PlanErrorCode {
  return CODES.some((each) => each === code);
}

/** What the user wrote cannot be a plan. The message shows the expression and the operator as written. */
export class PlanError extends SageError<PlanErrorCode> {
  override readonly name = "PlanError";
}
