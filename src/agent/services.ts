/** What the agent answers: to the JobManager over the node's sessions, and to its executors over theirs. */
import type { PeerId } from "../kernel/mod.ts";
import {
  agentCancel,
  agentCommit,
  agentCompile,
  agentDeploy,
  agentEndExecutor,
  agentExecutor,
  agentInventory,
  agentLogs,
  agentRelease,
  agentRows,
  executorFailed,
  executorFind,
  executorMetrics,
  executorReady,
  executorReport,
  executorRows,
  on,
  onStream,
  type Served,
  type TaskMetrics,
  type TaskRun,
} from "../protocol/mod.ts";
import type { AgentJob } from "./agent_job.ts";
import type { AgentApi } from "./api.ts";
import { AgentError } from "./error.ts";
import type { ExecutorProcess } from "./executor.ts";
import type { ClusterFacts, ExecutorPlace, ExecutorQuestion } from "./ports.ts";

const DONE = {};

export function agentServices(agent: AgentApi): readonly Served[] {
  return [
    on(agentDeploy, (order) => {
      agent.deploy(order);
      return DONE;
    }),
    on(agentCancel, (order) => {
      agent.cancel(order);
      return DONE;
    }),
    on(agentCommit, (order) => {
      agent.commit(order);
      return DONE;
    }),
    on(agentEndExecutor, (order) => {
      agent.endExecutor(order);
      return DONE;
    }),
    on(agentRelease, (order) => {
      agent.release(order);
      return DONE;
    }),
    on(agentInventory, (order) => agent.inventory(order)),
    on(agentCompile, (order, { signal }) => agent.compile(order, signal)),
    on(agentExecutor, async (of, { signal }) => placeOf(await agent.executorOf(of, signal))),
    onStream(agentRows, (request, { signal }) => agent.rows(request, signal)),
    onStream(agentLogs, (request, { signal }) => agent.logs(request, signal)),
  ];
}

export interface ExecutorHooks {
  readonly executor: ExecutorProcess;
  ready(
    addresses: ExecutorPlace["addresses"],
  ): Pick<ClusterFacts, "cluster"> & { keys: ClusterFacts["keys"][number][] };
  /** Null unless the executor has that job. */
  jobOf(jobId: string): AgentJob | null;
  metrics(jobId: string, metrics: TaskMetrics, run: TaskRun): void;
  find(of: ExecutorQuestion, signal: AbortSignal): Promise<ExecutorPlace>;
}

export function executorServices(hooks: ExecutorHooks): readonly Served[] {
  const { executor } = hooks;
  return [
    on(executorReady, ({ addresses }) => hooks.ready(addresses)),
    on(executorReport, ({ reports }) => {
      for (const report of reports) hooks.jobOf(report.jobId)?.reported(executor, report);
      return DONE;
    }),
    on(executorMetrics, ({ jobId, metrics }) => {
      for (const { run, metrics: counters } of metrics) hooks.metrics(jobId, counters, run);
      return DONE;
    }),
    on(executorRows, ({ jobId, run, fromRow, rowCount, bytes }) => {
      const job = hooks.jobOf(jobId);
      if (job === null) throw new AgentError("unknown-job", `Job ${jobId} is over here.`);
      job.keepRows(executor, run, { fromRow, rowCount, bytes });
      return DONE;
    }),
    on(executorFind, async (of: { jobId: string; jobAttempt: number; agent: PeerId }, { signal }) =>
      placeOf(await hooks.find(of, signal)),
    ),
    on(executorFailed, ({ reason }) => {
      executor.end(reason, true);
      return DONE;
    }),
  ];
}

function placeOf({ peer, addresses }: ExecutorPlace) {
  return { peer, addresses: [...addresses] };
}
