/** What an agent needs of the machine and of its node. */
import type * as v from "valibot";
import type {
  Address,
  BlobHash,
  Clock,
  ClusterId,
  Disk,
  KeyPair,
  Keys,
  Log,
  PeerId,
  Random,
  Spawner,
  Transport,
} from "../kernel/mod.ts";
import type {
  agentCommit,
  agentCompile,
  agentDeploy,
  agentInventory,
  agentLogs,
  agentRelease,
  agentRows,
  jobsReport,
  Sent,
  TaskRun,
} from "../protocol/mod.ts";

export interface AgentPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Log;
  readonly spawner: Spawner;
  readonly disk: Disk;
  /** The node's own: executors connect to it. */
  readonly transport: Pick<Transport, "self" | "addresses">;
  /** The node's key, which vouches for its executors. */
  readonly identity: KeyPair;
  /** 0 … 1: how busy the machine's cores are with whatever; default: the share of slots in use. */
  readonly load?: () => number;
}

export interface AgentOptions {
  /** Of the software, such as "0.1.0". */
  readonly version: string;
  readonly slots: number;
  /** For all slots together. */
  readonly memoryBytes: number;
  /**
   * Directory of the agent alone; what is in it at the start is removed. Beside it, in `.sinks`, lies what must outlive the
   * agent.
   */
  readonly directory: string;
  /** Threads of a slot; 0: executors compute in their main thread. */
  readonly workersPerSlot: number;
  /** Hosts that executors listen on, any port; default: those that the transport tells, which may be announced ones. */
  readonly listen?: readonly Address[];
  readonly settings?: Partial<AgentSettings>;
}

export interface AgentSettings {
  /** Executors that stand by for the next job; 0: each is started when it is needed. */
  readonly sparesMin: number;
  /** Executors without a job that are kept at most. */
  readonly sparesMax: number;
  /** An executor must be ready this long after its start. */
  readonly startTimeoutMs: number;
  /** An executor that answers nothing for so long is ended. */
  readonly pingTimeoutMs: number;
  /** How often executors are asked and looked at. */
  readonly lookMs: number;
  /** Besides its slots' memory, which the arena holds to, an executor may take this much for itself, … */
  readonly overheadBytes: number;
  /** … and this much for each slot in use: threads, what waits to be written, garbage. */
  readonly slotOverheadBytes: number;
  /** A call of a job's function may take so long; passed on to executors. Null: for ever. */
  readonly userCallMsMax: number | null;
}

export const AGENT_DEFAULTS: AgentSettings = {
  sparesMin: 1,
  sparesMax: 2,
  startTimeoutMs: 30_000,
  pingTimeoutMs: 10_000,
  lookMs: 250,
  overheadBytes: 256 << 20,
  slotOverheadBytes: 64 << 20,
  userCallMsMax: 300_000,
};

/** What the tasks of one slot may take in the arena. */
export function slotMemoryBytes({ memoryBytes, slots }: Pick<AgentOptions, "memoryBytes" | "slots">): number {
  return Math.floor(memoryBytes / Math.max(1, slots));
}

/** What executors are told of the cluster. */
export interface ClusterFacts {
  readonly cluster: ClusterId;
  readonly keys: readonly { readonly keyId: string; readonly publicKey: Uint8Array }[];
  /** This node's, which is part of its executors' credentials. */
  readonly certificate: Uint8Array;
}

export interface ExecutorPlace {
  readonly peer: PeerId;
  readonly addresses: readonly Address[];
}

/** What the node does for its agent. */
export interface AgentHooks {
  /** As it is now. */
  facts(): ClusterFacts;
  /** What the cluster keeps under the hash. */
  blob(hash: BlobHash, signal: AbortSignal): Promise<Uint8Array>;
  /** `jobs.report` to the JobManager, wherever it is now. Once it rejects the agent asks again, after a while. */
  report(body: JobsReport): Promise<unknown>;
  /** `agent.executor` at another node. */
  findExecutor(of: ExecutorQuestion, signal: AbortSignal): Promise<ExecutorPlace>;
}

export interface ExecutorQuestion {
  readonly jobId: string;
  readonly jobAttempt: number;
  readonly agent: PeerId;
}

export type JobsReport = Sent<v.InferInput<typeof jobsReport.request>>;
export type DeployOrder = v.InferOutput<typeof agentDeploy.request>;
export type ReleaseOrder = v.InferOutput<typeof agentRelease.request>;
export type CompileOrder = v.InferOutput<typeof agentCompile.request>;
export type Compiled = v.InferOutput<typeof agentCompile.reply>;
export type Inventory = v.InferOutput<typeof agentInventory.reply>;
export interface JobOrders {
  readonly term: number;
  readonly jobId: string;
}
export type CommitOrder = v.InferOutput<typeof agentCommit.request>;
export type RunsOrder = JobOrders & { readonly runs: readonly TaskRun[] };
export type RowsRequest = v.InferOutput<typeof agentRows.request>;
export type RowsItem = v.InferOutput<typeof agentRows.item>;
export type LogsRequest = v.InferOutput<typeof agentLogs.request>;
export type LogLine = v.InferOutput<typeof agentLogs.item>;
