/**
 * One job under this JobManager: what happens is told to its `JobMachine`, and what that decides is carried out. Facts of
 * one turn are decided about together.
 */
import type { Actor, JobRecord, RequestId } from "../../cluster/mod.ts";
import {
  type Action,
  type AgentFacts,
  decodeOutline,
  type Fact,
  isEnded,
  JobMachine,
  type JobOutline,
  type JobState,
  type TaskRecord,
  type UserVerb,
} from "../../jobs/mod.ts";
import { type PeerId, type TimerId, type Timers, unreachable } from "../../kernel/mod.ts";
import type { TaskMetrics, TaskReport } from "../../protocol/mod.ts";
import { NodeError } from "../error.ts";
import { Compiler, type CompilerHost } from "./compiler.ts";
import { DeployBatches, type OrderHost } from "./orders.ts";
import { decodeNotes, decodeSubmission, type Submission, settingsOf } from "./submission.ts";

export interface DriverHost extends CompilerHost, OrderHost {
  readonly timers: Timers;
  nowMs(): number;
  wallMs(): number;
  /** The job as the log has it; null: deleted. */
  record(jobId: string): JobRecord | null;
  /** Has `turn` called soon. */
  wake(driver: JobDriver): void;
  /** To be committed; comes back as a fact. */
  move(driver: JobDriver, action: Extract<Action, { kind: "move" }>): void;
  /** What the agents keep of the job up to that attempt is of no use any more. */
  release(driver: JobDriver, upToAttempt: number): void;
}

export interface JobErrorNote {
  readonly reason: string;
  readonly place: TaskReport["place"];
  /** Of what the compiler has found; tasks have none. */
  readonly code?: string;
}

/** Who wants something of a job, and under which name. */
export interface Asker {
  readonly by: Actor;
  readonly request: RequestId | undefined;
}

interface PendingVerb {
  readonly verb: UserVerb;
  readonly asker: Asker;
  readonly resolve: (state: JobState) => void;
  readonly reject: (error: Error) => void;
}

const REASON_CHARS_MAX = 2_000;
const ERROR_CHARS_MAX = 8_000;

export class JobDriver {
  readonly jobId: string;
  readonly number: number;
  readonly submission: Submission;
  readonly machine: JobMachine;
  readonly compiler: Compiler;
  /** What the tasks counted last, by `fragment.index`. */
  readonly metrics = new Map<string, { readonly attempt: number; readonly metrics: TaskMetrics }>();
  lastError: JobErrorNote | null = null;
  /** Why it does not go on, where it waits. */
  waiting: string | null = null;
  readonly #host: DriverHost;
  readonly #batches: DeployBatches;
  #facts: Fact[] = [];
  #timer: { readonly id: TimerId; readonly dueMs: number } | null = null;
  #timeout: TimerId | null = null;
  #verbs: PendingVerb[] = [];
  readonly #watchers = new Set<() => void>();
  /** An earlier JobManager has begun it. */
  readonly #isAdopted: boolean;
  #isStopped = false;

  constructor(host: DriverHost, record: JobRecord) {
    const { jobId, number, state, attempt, history } = record;
    this.#host = host;
    this.jobId = jobId;
    this.number = number;
    this.#isAdopted = state !== "submitted";
    this.submission = decodeSubmission(record.options);
    const at = { state, attempt, reason: history.at(-1)?.reason ?? "" };
    const noted = state === "finishing" ? decodeNotes(record.notes)?.prepared : undefined;
    const prepared = noted?.attempt === attempt ? noted.runs : [];
    const settings = settingsOf(this.submission);
    this.machine = new JobMachine({ jobId, term: host.term, at, settings, prepared });
    this.compiler = new Compiler(host, {
      jobId,
      submission: this.submission,
      notes: () => host.record(jobId)?.notes ?? new Uint8Array(0),
      planned: (outline) => this.feed({ kind: "planned", plan: outline }),
      failed: (reason, code) => {
        if (code !== null) this.lastError = { reason: clipped(reason, ERROR_CHARS_MAX), place: null, code };
        this.feed({ kind: "planFailed", reason });
      },
    });
    this.#batches = new DeployBatches(host, this);
    this.#armTimeout(record);
  }

  get hasEnded(): boolean {
    return isEnded(this.machine.state);
  }

  /** Of the last move. */
  get reason(): string {
    return this.#host.record(this.jobId)?.history.at(-1)?.reason ?? "it was deleted";
  }

  /** Runs of its tasks have failed or were lost, or may have been before this JobManager began. */
  get isDisturbed(): boolean {
    return this.#isAdopted || this.machine.tasks.some(({ failures, losses }) => failures + losses > 0);
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  get outline(): JobOutline | null {
    return this.compiler.outline;
  }

  /** The outline also of a job that ended before this JobManager began. @throws {NodeError} */
  async loadOutline(signal: AbortSignal): Promise<JobOutline | null> {
    if (this.outline !== null) return this.outline;
    const notes = this.compiler.noted();
    if (notes === null) return null;
    return decodeOutline(await this.#host.contents.get(notes.outline, signal));
  }

  feed(...facts: readonly Fact[]): void {
    if (this.#isStopped) return;
    this.#facts.push(...facts);
    this.#host.wake(this);
  }

  /** The log has moved the job. */
  moved(record: JobRecord): void {
    const { state, attempt } = record;
    const reason = record.history.at(-1)?.reason ?? "";
    if (state === "cancelling" || state === "failing") this.compiler.giveUp();
    if (state === "restarting" || state === "scheduling") this.compiler.again();
    if (state === "restarting") this.metrics.clear();
    this.#verbs = this.#verbs.filter((pending) => {
      if (reason !== reasonOf(pending)) return true;
      pending.resolve(state);
      return false;
    });
    // One that another one came before, or that was decided about for a state that did not last.
    const left = this.#verbs.map(({ verb }) => ({ kind: "verb", verb }) as const);
    this.#armTimeout(record);
    this.feed({ kind: "moved", state, attempt, reason }, ...left);
  }

  /** What happened since the last turn; `agents`: slots that it may use now. */
  turn(agents: readonly AgentFacts[]): void {
    if (this.#isStopped) return;
    const facts = this.#facts;
    this.#facts = [];
    const nowMs = this.#host.nowMs();
    const actions = this.machine.steps([{ kind: "agents", agents }, ...facts], nowMs);
    for (const action of actions) this.#act(action);
    this.#batches.send();
    this.#arm(nowMs);
    for (const watcher of this.#watchers) watcher();
  }

  /** @throws {NodeError} not-possible: the job's state does not allow it */
  verb(verb: UserVerb, asker: Asker): Promise<JobState> {
    return new Promise((resolve, reject) => {
      this.#verbs.push({ verb, asker, resolve, reject });
      this.feed({ kind: "verb", verb });
    });
  }

  /** Who has asked for the move; null when it follows from what happened. */
  askerOf({ reason }: Pick<Extract<Action, { kind: "move" }>, "reason">): Asker | null {
    return this.#verbs.find((pending) => reasonOf(pending) === reason)?.asker ?? null;
  }

  report(peer: PeerId, report: TaskReport): void {
    const { jobAttempt, task, attempt, status, reason, isFinal, lost, outputBytes, metrics, place } = report;
    const name = `${task.fragment}.${task.index}`;
    if (metrics !== undefined) this.counted(name, attempt, metrics);
    const isLoss = lost !== undefined && lost !== null;
    if (status === "failed" && !isLoss) this.#noteError(`task ${name}: ${reason ?? "it failed"}`, place);
    if (isLoss) this.feed({ kind: "outputLost", ...lost, reason: reason ?? "it could not be read" });
    this.feed({
      kind: "task",
      jobAttempt,
      task,
      attempt,
      peer,
      status,
      isLoss,
      ...(reason === undefined ? {} : { reason: clipped(reason, REASON_CHARS_MAX) }),
      ...(isFinal === undefined ? {} : { isFinal }),
      ...(outputBytes === undefined ? {} : { outputBytes }),
    });
  }

  counted(name: string, attempt: number, metrics: TaskMetrics): void {
    const known = this.metrics.get(name);
    if (known === undefined || known.attempt <= attempt) this.metrics.set(name, { attempt, metrics });
  }

  /** What the task's newest run counted; null: nothing. */
  metricsOf({ task, attempt }: Readonly<TaskRecord>): TaskMetrics | null {
    const counted = this.metrics.get(`${task.fragment}.${task.index}`);
    return counted === undefined || counted.attempt !== attempt ? null : counted.metrics;
  }

  /** Calls `changed` after each turn, until the function that it gives is called. */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  taskAt(fragment: number, index: number): Readonly<TaskRecord> | null {
    return this.machine.task({ fragment, index });
  }

  /** This JobManager is none any more, or the job was deleted. */
  stop(reason: string): void {
    this.#isStopped = true;
    const { timers } = this.#host;
    this.compiler.stop();
    if (this.#timer !== null) timers.cancel(this.#timer.id);
    if (this.#timeout !== null) timers.cancel(this.#timeout);
    for (const { reject } of this.#verbs.splice(0)) reject(new NodeError("not-leader", reason));
    for (const watcher of this.#watchers) watcher();
  }

  #act(action: Action): void {
    switch (action.kind) {
      case "move":
        return this.#host.move(this, { ...action, reason: clipped(action.reason, REASON_CHARS_MAX) });
      case "compile":
        if (isCalledOff(this.machine.state) && this.compiler.noted() === null) {
          return this.feed({ kind: "planFailed", reason: "it was never compiled" });
        }
        return this.compiler.isRunning ? undefined : this.compiler.start();
      case "deploy":
      case "cancelTask":
      case "commitSink":
      case "endExecutor":
        return this.#batches.add(action);
      case "refuse":
        return this.#refused(action.verb, action.reason);
      case "release":
        return this.#host.release(this, action.upToAttempt);
      default:
        return unreachable(action);
    }
  }

  #refused(verb: UserVerb, reason: string): void {
    const at = this.#verbs.findIndex((pending) => pending.verb === verb);
    const [pending] = at < 0 ? [] : this.#verbs.splice(at, 1);
    pending?.reject(new NodeError("not-possible", `Cannot ${verb} job ${this.number}: ${reason}.`));
  }

  #noteError(reason: string, place: JobErrorNote["place"]): void {
    this.lastError = { reason: clipped(reason, ERROR_CHARS_MAX), place: place ?? null };
  }

  #arm(nowMs: number): void {
    const { timers } = this.#host;
    const dueMs = this.machine.nextDueMs(nowMs);
    // One that rings too early costs less than one that is set anew at every turn.
    if (dueMs === null ? this.#timer === null : dueMs >= (this.#timer?.dueMs ?? Number.POSITIVE_INFINITY)) return;
    if (this.#timer !== null) timers.cancel(this.#timer.id);
    this.#timer = null;
    if (dueMs === null) return;
    const ring = (): void => {
      this.#timer = null;
      this.feed({ kind: "tick" });
    };
    this.#timer = { id: timers.after(Math.max(0, dueMs - nowMs), ring), dueMs };
  }

  /** Time that the user gave the job: from its acceptance, or from when it was asked to run again. */
  #armTimeout(record: JobRecord): void {
    const { timers } = this.#host;
    const { timeoutMs } = this.submission.options;
    if (this.#timeout !== null) timers.cancel(this.#timeout);
    this.#timeout = null;
    if (timeoutMs === null || isEnded(record.state)) return;
    const asked = record.history.findLast(
      ({ state, reason }) => state === "restarting" && reason.endsWith(" was asked for"),
    );
    const leftMs = (asked?.atMs ?? record.createdAtMs) + timeoutMs - this.#host.wallMs();
    this.#timeout = timers.after(Math.min(TIMEOUT_MS_MAX, Math.max(0, leftMs)), () => {
      this.#timeout = null;
      this.feed({ kind: "giveUp", reason: `it took longer than its timeout of ${timeoutMs} ms` });
    });
  }
}

const TIMEOUT_MS_MAX = 300 * 24 * 3_600_000;

/** As the machine gives it. */
function reasonOf({ verb }: Pick<PendingVerb, "verb">): string {
  return `${verb} was asked for`;
}

function isCalledOff(state: JobState): boolean {
  return state === "cancelling" || state === "failing";
}

function clipped(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1)}…`;
}
