/** What the machine is told, and what it wants done. */
import type { PeerId } from "../../kernel/mod.ts";
import type { ExchangeId, PlanOutline, TaskVertex } from "../physical/mod.ts";
import type { AgentFacts, PlacementStrategy } from "../placement/mod.ts";
import type { JobState } from "../states.ts";

export type UserVerb = "stop" | "cancel" | "restart" | "continue";

export interface TaskReport {
  readonly kind: "task";
  readonly jobAttempt: number;
  readonly task: TaskVertex;
  readonly attempt: number;
  readonly peer: PeerId;
  /**
   * running: it has begun. finished: all its rows are given, a sink is prepared. committed: the sink's file stands.
   * failed: it is over. ended: it is over because that was asked for, or it was never begun.
   */
  readonly status: "running" | "finished" | "committed" | "failed" | "ended";
  readonly reason?: string;
  /** It would fail again: the job's own error. */
  readonly isFinal?: boolean;
  /** It failed because what it reads is gone: no failure of its own. */
  readonly isLoss?: boolean;
  /** Of a finished task. */
  readonly outputBytes?: number;
  /** As deployed; both are told to a new JobManager. */
  readonly inputs?: readonly InputPlace[];
  readonly slot?: number;
}

export type Fact =
  /** The log has it: the job is in this state now. */
  | { readonly kind: "moved"; readonly state: JobState; readonly attempt: number; readonly reason: string }
  | { readonly kind: "planned"; readonly plan: PlanOutline }
  | { readonly kind: "planFailed"; readonly reason: string }
  /** Slots that this job may use; among the free ones may be those that its own tasks are in. */
  | { readonly kind: "agents"; readonly agents: readonly AgentFacts[] }
  | TaskReport
  /** A reader found that what the task gave is not there any more. */
  | { readonly kind: "outputLost"; readonly task: TaskVertex; readonly attempt: number; readonly reason: string }
  /** Nothing that ran or lay with the peer will be heard of again; what still runs there is fenced off by its attempt. */
  | { readonly kind: "agentLost"; readonly peer: PeerId; readonly reason: string }
  /**
   * The same for tasks up to the newest attempt that the executor was given; later ones are in its successor. Rows for the
   * client of tasks that have finished are with the agent, and stay.
   */
  | {
      readonly kind: "executorLost";
      readonly peer: PeerId;
      readonly upToAttempt: number;
      readonly reason: string;
      /** Nobody knows who has ended it: it may have been a task that ran there. */
      readonly isUnexplained?: boolean;
    }
  /** All that the agent has of the job, as `runName`s: what else was there is gone. */
  | { readonly kind: "inventory"; readonly peer: PeerId; readonly runs: ReadonlySet<string>; readonly reason: string }
  | { readonly kind: "verb"; readonly verb: UserVerb }
  /** The job must not go on: its time is over, or it can never run here. */
  | { readonly kind: "giveUp"; readonly reason: string }
  /** After a change of the JobManager: all agents have told their tasks, or have had the time to. */
  | { readonly kind: "inventoryDone" }
  | { readonly kind: "tick" };

/** Where a task finds what one producer gives. */
export interface InputPlace {
  readonly exchange: ExchangeId;
  readonly producer: TaskVertex;
  readonly attempt: number;
  readonly peer: PeerId;
}

/** A run that has prepared its sink's file, and where it did. */
export interface Prepared {
  readonly task: TaskVertex;
  readonly attempt: number;
  readonly peer: PeerId;
}

export interface StateStep {
  readonly state: JobState;
  readonly sinceMs: number;
}

export type Action =
  /** To be committed; comes back as "moved". */
  | {
      readonly kind: "move";
      readonly from: JobState;
      readonly to: JobState;
      readonly attempt: number;
      readonly reason: string;
      /** States on its way that it was in, or is in for no time, and since when: told with this move. */
      readonly via?: readonly StateStep[];
      /** With a move to finishing: what the sinks have prepared, for a later JobManager to find. */
      readonly prepared?: readonly Prepared[];
    }
  /** Wants "planned" or "planFailed". */
  | { readonly kind: "compile" }
  | {
      readonly kind: "deploy";
      readonly jobAttempt: number;
      readonly task: TaskVertex;
      readonly attempt: number;
      readonly peer: PeerId;
      readonly slot: number;
      readonly inputs: readonly InputPlace[];
    }
  /** Wants a report: ended, or whatever came first. Of a finished task it means that its rows are not needed. */
  | { readonly kind: "cancelTask"; readonly task: TaskVertex; readonly attempt: number; readonly peer: PeerId }
  /**
   * Wants "committed". Idempotent. `isSought`: the executor that prepared the file is gone, and `peer` perhaps too: whoever
   * sees the file is to put it in its place.
   */
  | ({ readonly kind: "commitSink"; readonly jobAttempt: number; readonly isSought: boolean } & Prepared)
  /** A task there did not end when asked to. Wants "executorLost". */
  | { readonly kind: "endExecutor"; readonly peer: PeerId; readonly reason: string }
  | { readonly kind: "refuse"; readonly verb: UserVerb; readonly reason: string }
  /**
   * Partitions, prepared files and executors of these attempts of the job are of no use any more. Of a finished job's
   * last attempt the results for the client stay.
   */
  | { readonly kind: "release"; readonly upToAttempt: number };

export interface MachineSettings {
  readonly strategy: PlacementStrategy;
  readonly taskMemoryBytes: number;
  /** Failures of one task that the job survives. */
  readonly taskRetriesMax: number;
  /** Times that one task may be lost with its agent or executor. */
  readonly taskLossesMax: number;
  /** Times that an executor may end for no known reason while it runs the task, or as often as the task may fail. */
  readonly executorEndsMax: number;
  /** Attempts of the whole job after the first. */
  readonly restartsMax: number;
  readonly backoffMs: number;
  readonly backoffMsMax: number;
  /** A state that the job leaves sooner by itself is in the log together with the next one only. */
  readonly shownAfterMs: number;
  /** A task that has not begun by then is begun elsewhere. */
  readonly deployTimeoutMs: number;
  /** A task that has not ended by then loses its executor. */
  readonly cancelTimeoutMs: number;
  /** A prepared file that no node sees is waited for so long; then the job is run again. */
  readonly commitWaitMs: number;
}

export const MACHINE_DEFAULTS: MachineSettings = {
  strategy: "coLocated",
  taskMemoryBytes: 0,
  taskRetriesMax: 3,
  taskLossesMax: 20,
  executorEndsMax: 3,
  restartsMax: 1,
  backoffMs: 200,
  backoffMsMax: 10_000,
  shownAfterMs: 200,
  deployTimeoutMs: 30_000,
  cancelTimeoutMs: 10_000,
  commitWaitMs: 60_000,
};
