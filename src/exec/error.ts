import { SageError, type SageErrorOptions } from "../kernel/mod.ts";
import type { OperatorId } from "../plan/mod.ts";

export type ExecErrorCode =
  | "integerOverflow"
  | "divisionByZero"
  | "castFailed"
  | "decimalOverflow"
  | "invalidArgument"
  | "dateOutOfRange"
  | "memoryLimit"
  | "userFunction"
  | "wrongShape"
  | "timeout"
  | "cancelled"
  | "workerLost";

export interface ExecErrorPlace {
  readonly operator?: OperatorId | undefined;
  /** Row of the operator's input, counted from 0 in the batch that failed. */
  readonly row?: number | undefined;
  /** For `memoryLimit`: the operator that holds most. */
  readonly holder?: OperatorId | undefined;
}

/** A job that failed while running. */
export class ExecError extends SageError<ExecErrorCode> {
  override readonly name = "ExecError";
  readonly operator: OperatorId | undefined;
  readonly row: number | undefined;
  readonly holder: OperatorId | undefined;

  constructor(code: ExecErrorCode, message: string, options: SageErrorOptions & ExecErrorPlace = {}) {
    super(code, message, options);
    this.operator = options.operator;
    this.row = options.row;
    this.holder = options.holder;
  }
}
