/** An agent as its node uses it. `Agent` is made as `new Agent(ports, options, hooks)`. */
import type { Channel, PeerId } from "../kernel/mod.ts";
import type { Served } from "../protocol/mod.ts";
import type {
  CommitOrder,
  Compiled,
  CompileOrder,
  DeployOrder,
  ExecutorPlace,
  Inventory,
  JobOrders,
  LogLine,
  LogsRequest,
  ReleaseOrder,
  RowsItem,
  RowsRequest,
  RunsOrder,
} from "./ports.ts";

/**
 * Every order carries a term; `AgentError` "stale-term" for one that is older than the newest seen. Orders about jobs,
 * attempts and runs that are not here do nothing: what the JobManager waits for, it is told by the inventory or by the
 * agent's end.
 */
export interface AgentApi {
  /** Once the node's transport listens: empties the directory and gets a spare executor ready a moment later. */
  start(): void;
  /** Ends all executors; nothing is left in the directory. */
  stop(): Promise<void>;

  /** `agent.*` methods, for the node's table. */
  services(): readonly Served[];
  /** Whether `peer` is an executor of this agent: the node's gate lets it in, for `EXECUTOR_PROTOCOL` only. */
  isOwnExecutor(peer: PeerId): boolean;
  /** A channel of `EXECUTOR_PROTOCOL` that an executor of this agent has opened; in the turn in which it is had. */
  attached(channel: Channel): void;
  /** The JobManager may be another: what is not answered yet is told at once. */
  leaderChanged(): void;
  /** Slots that tasks are in. */
  readonly slotsUsed: number;

  deploy(order: DeployOrder): void;
  cancel(order: RunsOrder): void;
  commit(order: CommitOrder): void;
  endExecutor(order: JobOrders & { readonly reason: string }): void;
  /** Answers at once; what executors have to be told follows. */
  release(order: ReleaseOrder): void;
  inventory(order: { readonly term: number }): Inventory;
  compile(order: CompileOrder, signal: AbortSignal): Promise<Compiled>;
  executorOf(of: { readonly jobId: string; readonly jobAttempt: number }, signal: AbortSignal): Promise<ExecutorPlace>;
  rows(request: RowsRequest, signal: AbortSignal): AsyncGenerator<RowsItem, void>;
  logs(request: LogsRequest, signal: AbortSignal): AsyncGenerator<LogLine, void>;
}
