import { invariant } from "../kernel/mod.ts";
import type { Dataflow } from "./dataflow.ts";

/** How a program runs a stream by itself: `collect()`, `for await`, `sink.run()`. */
export interface RunOptions {
  /** Default: the cores. */
  readonly workers?: number;
  /** Most memory for data; default: 60 % of the machine's, at most 4 GiB. */
  readonly memoryBytes?: number;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

export interface RunSummary {
  readonly rowsRead: number;
  readonly rowsWritten: number;
  readonly elapsedMs: number;
}

/** The port to execution, which lies in layers above. */
export interface FlowRunner {
  /** Rows of the first root, in order. Stopping early (`break`) ends the job. */
  rows(flow: Dataflow, options: RunOptions): AsyncIterable<Record<string, unknown>>;
  /** Runs to the end; resolves when every sink has committed. */
  run(flow: Dataflow, options: RunOptions): Promise<RunSummary>;
  /** Logical and optimised plan as text. */
  explain(flow: Dataflow, options: { readonly wasm?: boolean }): Promise<string>;
}

let current: FlowRunner | null = null;

/** Called once where the library is put together. */
export function setRunner(runner: FlowRunner): void {
  current = runner;
}

export function runner(): FlowRunner {
  invariant(current !== null, "no runner is set: import SAGE through its mod.ts");
  return current;
}
