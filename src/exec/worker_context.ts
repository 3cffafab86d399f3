import type { Address, Arena } from "../arrow/mod.ts";
import type { Tools } from "../connectors/mod.ts";
import type { OperatorId, UserFunction } from "../plan/mod.ts";
import type { ConsumedPoint } from "./control.ts";
import type { TaskOutput } from "./messages.ts";
import type { TerminalState } from "./terminal_state.ts";

/** What a worker has while it carries out requests. */
export interface WorkerContext {
  readonly arena: Arena;
  readonly tools: Tools;
  /** 0 … pool size − 1. */
  readonly index: number;
  /** Functions of the running job by operator. */
  readonly userFunctions: ReadonlyMap<OperatorId, UserFunction>;
  /** States of terminals, by name, that outlive a pipeline. */
  readonly states: Map<string, TerminalState>;
  readonly output: (output: TaskOutput) => void;
  /** Resolves when the driver has come to the point in the output of the request at `control`, or it is cancelled. */
  readonly awaitConsumed: (control: Address, point: ConsumedPoint) => void | Promise<void>;
  /** Called between batches: lets the thread do what it does not get to while it computes. */
  readonly pause: () => void | Promise<void>;
}
