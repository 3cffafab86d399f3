/**
 * An agent without processes: tasks take a while of virtual time and then have given their rows. It keeps to what agents
 * promise: stale terms are refused, reports are repeated until they are answered, what was not released is told.
 */
import type {
  AgentApi,
  AgentHooks,
  CommitOrder,
  Compiled,
  CompileOrder,
  DeployOrder,
  Inventory,
  JobOrders,
  ReleaseOrder,
  RowsItem,
  RowsRequest,
  RunsOrder,
} from "../../../src/agent/mod.ts";
import { AgentError } from "../../../src/agent/mod.ts";
import { agentServices } from "../../../src/agent/services.ts";
import { encodeOutline, type PhysicalPlan } from "../../../src/jobs/mod.ts";
import type { PeerId } from "../../../src/kernel/mod.ts";
import type { CallContext, TaskReport } from "../../../src/protocol/mod.ts";
import type { SimNode } from "../../../src/sim/mod.ts";

export interface Script {
  readonly slots: number;
  /** Plan of the job that was submitted with these bytes as its logical plan. */
  readonly planOf: (logical: string) => PhysicalPlan;
  readonly taskMs: number;
  /** What becomes of a run instead of its end; null: it ends. */
  readonly fails?: (run: HeldRun) => (Pick<TaskReport, "reason" | "isFinal"> & Partial<TaskReport>) | null;
  readonly rowsPerTask: number;
}

export interface HeldRun {
  readonly jobId: string;
  readonly jobAttempt: number;
  readonly name: string;
  readonly order: DeployOrder["tasks"][number];
  status: "running" | "finished" | "committed";
}

const REPORT_RETRY_MS = 200;

export class ScriptedAgent implements AgentApi {
  readonly peer: PeerId;
  readonly held = new Map<string, HeldRun>();
  /** Every task that was begun here, by job, name and attempt. */
  readonly begun: string[] = [];
  readonly released: ReleaseOrder[] = [];
  /** Takes calls and answers none. */
  isMute = false;
  readonly #node: SimNode;
  readonly #hooks: AgentHooks;
  readonly #script: Script;
  #term = 0;
  #pending: TaskReport[] = [];
  #isSending = false;

  constructor(node: SimNode, hooks: AgentHooks, script: Script) {
    this.peer = node.peer;
    this.#node = node;
    this.#hooks = hooks;
    this.#script = script;
  }

  get slotsUsed(): number {
    return [...this.held.values()].filter(({ status }) => status === "running").length;
  }
  start(): void {}
  stop(): Promise<void> {
    return Promise.resolve();
  }
  services() {
    const served = agentServices(this);
    const never = () => new Promise<never>(() => undefined);
    return served.map((each) => {
      return each.kind === "call"
        ? { ...each, run: (body: unknown, context: CallContext) => (this.isMute ? never() : each.run(body, context)) }
        : each;
    });
  }
  isOwnExecutor(): boolean {
    return false;
  }
  attached(): void {}
  leaderChanged(): void {
    this.#send();
  }

  deploy({ term, job, tasks }: DeployOrder): void {
    this.#fence(term);
    for (const order of tasks) this.#begin(job, order);
  }

  cancel({ term, jobId, runs }: RunsOrder): void {
    this.#fence(term);
    for (const { task, attempt } of runs) {
      const held = this.held.get(`${jobId}/${task.fragment}.${task.index}@${attempt}`);
      if (held === undefined) continue;
      this.held.delete(held.name);
      if (held.status === "running") this.#report(held, "ended");
    }
  }

  commit({ term, jobId, run }: CommitOrder): void {
    this.#fence(term);
    const held = this.held.get(`${jobId}/${run.task.fragment}.${run.task.index}@${run.attempt}`);
    if (held === undefined) return;
    held.status = "committed";
    this.#report(held, "committed");
  }

  endExecutor(_order: JobOrders & { readonly reason: string }): void {}

  release(order: ReleaseOrder): void {
    this.#fence(order.term);
    this.released.push(order);
    for (const held of this.held.values()) {
      if (held.jobId !== order.jobId || held.jobAttempt > order.upToAttempt) continue;
      if (!(order.keepResults && held.status === "finished")) this.held.delete(held.name);
    }
  }

  inventory({ term }: { readonly term: number }): Inventory {
    this.#fence(term);
    const { slots } = this.#script;
    const reports = [...this.held.values()].map((held) => {
      return { ...this.#reportOf(held, held.status), slot: held.order.slot, inputs: held.order.inputs };
    });
    const results = [...this.held.values()].map(({ jobId, jobAttempt, order: { task, attempt } }) => {
      return { jobId, jobAttempt, runs: [{ task, attempt }] };
    });
    const isReleased = (jobId: string) => this.released.some((order) => order.jobId === jobId && order.keepResults);
    return {
      slotCount: slots,
      slotMemoryBytes: 1 << 30,
      load: 0,
      reports: reports.filter(({ jobId }) => !isReleased(jobId)),
      jobs: [],
      results,
    };
  }

  compile({ term, plan }: CompileOrder): Promise<Compiled> {
    this.#fence(term);
    const logical = new TextDecoder().decode(plan);
    const outline = encodeOutline(this.#script.planOf(logical));
    return Promise.resolve({ outline, plan: new TextEncoder().encode(`plan of ${logical}`), text: logical });
  }

  executorOf(): Promise<never> {
    return Promise.reject(new AgentError("unknown-job", "no executors here"));
  }

  /** One row a message. */
  async *rows({ jobId, run, fromRow }: RowsRequest, signal: AbortSignal): AsyncGenerator<RowsItem, void> {
    const name = `${jobId}/${run.task.fragment}.${run.task.index}@${run.attempt}`;
    for (let row = fromRow; row < this.#script.rowsPerTask; row++) {
      if (!this.held.has(name)) throw new AgentError("unknown-run", `no run ${name}`);
      yield { fromRow: row, rowCount: 1, bytes: new TextEncoder().encode(`${run.task.index}:${row}`) };
    }
    while (this.held.get(name)?.status === "running" && !signal.aborted) {
      await new Promise<void>((resolve) => this.#node.host.wake(5, resolve));
    }
    if (!this.held.has(name)) throw new AgentError("unknown-run", `no run ${name}`);
  }

  async *logs(): AsyncGenerator<never, void> {}

  #fence(term: number): void {
    if (term < this.#term) throw new AgentError("stale-term", `term ${term} is older than ${this.#term}`);
    this.#term = term;
  }

  #begin({ jobId, jobAttempt }: DeployOrder["job"], order: DeployOrder["tasks"][number]): void {
    const name = `${jobId}/${order.task.fragment}.${order.task.index}@${order.attempt}`;
    if (this.held.has(name)) return;
    const inSlot = [...this.held.values()].some(
      (other) => other.status === "running" && other.order.slot === order.slot,
    );
    const held: HeldRun = { jobId, jobAttempt, name, order, status: "running" };
    if (inSlot) return this.#report(held, "failed", { reason: `slot ${order.slot} is taken`, isFinal: true });
    this.held.set(name, held);
    this.begun.push(name);
    this.#report(held, "running");
    this.#node.host.wake(this.#script.taskMs, () => {
      if (this.held.get(name) !== held) return;
      const failure = this.#script.fails?.(held) ?? null;
      if (failure !== null) {
        this.held.delete(name);
        return this.#report(held, "failed", failure);
      }
      held.status = "finished";
      this.#report(held, "finished");
    });
  }

  #reportOf({ jobId, jobAttempt, order }: HeldRun, status: TaskReport["status"]): TaskReport {
    const run = { jobId, jobAttempt, task: order.task, attempt: order.attempt, status, outputBytes: 100 };
    return status === "finished" ? { ...run, metrics: this.#metrics } : run;
  }

  get #metrics() {
    const { rowsPerTask, taskMs } = this.#script;
    const rows = { rowsIn: 10, rowsOut: rowsPerTask };
    return { ...rows, bytesOut: 100, spilledBytes: 0, backpressureMs: 1, elapsedMs: taskMs };
  }

  #report(held: HeldRun, status: TaskReport["status"], more: Partial<TaskReport> = {}): void {
    this.#pending.push({ ...this.#reportOf(held, status), ...more });
    this.#send();
  }

  #send(): void {
    if (this.#isSending || this.#pending.length === 0) return;
    this.#isSending = true;
    const reports = this.#pending;
    this.#hooks.report({ load: 0, reports, lost: [], metrics: [] }).then(
      () => {
        this.#pending = this.#pending.filter((report) => !reports.includes(report));
        this.#isSending = false;
        this.#send();
      },
      () => {
        this.#node.host.wake(REPORT_RETRY_MS, () => {
          this.#isSending = false;
          this.#send();
        });
      },
    );
    this.#pending = [...reports];
  }
}
