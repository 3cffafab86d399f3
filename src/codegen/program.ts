import type { DataType } from "../arrow/mod.ts";
import type { OperatorId } from "../plan/mod.ts";
import { hostFunction, ModuleBuilder } from "../wasm/mod.ts";
import { ContextLayout } from "./context.ts";

/** How a column of the incoming batch is stored: part of what a generated module is specialised for. */
export interface InputColumn {
  readonly name: string;
  readonly type: DataType;
  /** Has nulls in this batch, so a validity bitmap is there. */
  readonly validity: boolean;
  readonly encoding: "plain" | "dictionary";
}

export type FailureCode =
  | "integerOverflow"
  | "divisionByZero"
  | "castFailed"
  | "decimalOverflow"
  | "invalidArgument"
  | "dateOutOfRange";

/** A place in generated code that can fail, and what to say then. */
export interface FailureSite {
  readonly operator: OperatorId;
  readonly code: FailureCode;
  /** The expression as the user wrote it. */
  readonly expression: string;
}

const fail = hostFunction("env", "fail", { params: ["i32", "i32"], results: [] });

/** A module under construction together with what the host must know to run it. */
export class Program {
  readonly module = new ModuleBuilder({ memory: { initialPages: 1, maximumPages: 65536, shared: true } });
  readonly context = new ContextLayout();
  readonly sites: FailureSite[] = [];
  /** Some value of a row lives in the scratch region, which is emptied after each row. */
  usesScratch = false;

  /** Call that throws in the host with the site and the row (relative to the batch). */
  failCall(site: FailureSite, row: Parameters<typeof fail.call>[1]): ReturnType<typeof fail.call> {
    this.sites.push(site);
    return fail.call(this.sites.length - 1, row);
  }
}
