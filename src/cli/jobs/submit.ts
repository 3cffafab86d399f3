import {
  isEndState,
  JobFailedError,
  type JobHandle,
  type Jobs,
  openResult,
  resultArena,
  withAbsolutePaths,
} from "../../client/mod.ts";
import {
  encodeLogicalPlan,
  type LogicalPlan,
  numberOperators,
  type OperatorOrigin,
  operatorText,
  originOf,
  setCause,
  userFunctionsOf,
} from "../../plan/mod.ts";
import { absolutePath, ClosedOutputError, type Terminal } from "../../platform/mod.ts";
import type { JobProgress } from "../../protocol/mod.ts";
import { jsonText } from "../cluster/mod.ts";
import { EXIT } from "../error.ts";
import { firstThrown, reportFailure } from "../failure.ts";
import { type OpenJob, openJob } from "../job.ts";
import { LiveLines } from "../live_lines.ts";
import { paintFor } from "../paint.ts";
import type { ParsedCommand } from "../parse.ts";
import { bytesText, durationText, rateText, rowCountText } from "../quantity.ts";
import { checkResults, printResults } from "../results.ts";
import type { WrittenFile } from "../summary.ts";
import { Interrupts } from "./interrupts.ts";
import { withJobs } from "./session.ts";
import { progressLines } from "./stage_lines.ts";
import { readSubmitOptions, type SubmitOptions } from "./submit_options.ts";

/** `sage submit`: rows to stdout or a file, all else to stderr. Gives the exit code. */
export async function submit(on: Terminal, parsed: ParsedCommand): Promise<number> {
  const options = readSubmitOptions(on, parsed);
  on.redirectConsole();
  const job = await openJob(options.file, options);
  try {
    const submission = submissionOf(job, options);
    const results = resultKinds(job.plan);
    // All of it that is needed is in memory now: a client that is killed while it waits leaves no file.
    job.bundle.dispose();
    if (!options.isDetached) checkResults(results, { command: "submit", ...options });
    const owns = { ownsInterrupt: true, ownsTimeout: true };
    return await withJobs(on, parsed, ({ jobs }) => carryOut(on, { jobs, submission, job, options }), owns);
  } catch (error) {
    return await reportFailure(on, error, job.bundle.sourceMap);
  } finally {
    job.bundle.dispose();
  }
}

type Submitted = Parameters<Jobs["submit"]>[0];

function submissionOf(job: OpenJob, options: SubmitOptions): Submitted {
  const hasFunctions = userFunctionsOf(job.plan).size > 0;
  return {
    name: options.name ?? job.plan.name,
    plan: encodeLogicalPlan(withAbsolutePaths(job.plan, absolutePath)),
    bundle: hasFunctions ? job.bundle.module() : null,
    options: { ...options.job, params: job.params },
  };
}

function resultKinds(plan: LogicalPlan): { readonly isSink: boolean }[] {
  return plan.roots.map(({ kind }) => ({ isSink: kind === "sink" }));
}

interface Execution {
  readonly jobs: Jobs;
  readonly submission: Submitted;
  readonly job: OpenJob;
  readonly options: SubmitOptions;
}

async function carryOut(on: Terminal, execution: Execution): Promise<number> {
  const { jobs, submission, options } = execution;
  const giveUp = new AbortController();
  const release = on.onInterrupt((code) => {
    giveUp.abort();
    on.exit(code);
  });
  const handle = await jobs.submit(submission, { signal: giveUp.signal }).finally(release);
  if (options.isDetached) {
    const { id, number, name } = handle;
    await on.out.write(options.format === "json" ? jsonText({ number, jobId: id, name }) : `${number} ${id}\n`);
    return EXIT.ok;
  }
  return new Attached(on, handle, execution).run();
}

/** The cluster has the dataflow without the places of its lines; its message shows the operator that is wrong. */
function writtenAt(plan: LogicalPlan, message: string): OperatorOrigin | null {
  const node = [...numberOperators(plan).keys()].find((each) => message.includes(operatorText(each)));
  return node === undefined ? null : originOf(node);
}

/** A submitted job whose rows and progress are shown until it ends or is left alone. */
class Attached {
  readonly #on: Terminal;
  readonly #handle: JobHandle;
  readonly #execution: Execution;
  readonly #live: LiveLines;
  readonly #interrupts: Interrupts;
  readonly #stop = new AbortController();
  readonly #startedMs: number;

  constructor(on: Terminal, handle: JobHandle, execution: Execution) {
    this.#on = on;
    this.#handle = handle;
    this.#execution = execution;
    this.#live = new LiveLines(on, execution.options);
    this.#startedMs = on.nowMs();
    this.#interrupts = new Interrupts(on, { handle, live: this.#live, end: () => this.#stop.abort() });
  }

  async run(): Promise<number> {
    const watching = this.#watch();
    try {
      const written = await this.#results();
      const last = await this.#handle.wait({ signal: this.#stop.signal });
      await this.#live.erase();
      if (!this.#execution.options.isQuiet) await this.#on.err.write(this.#summary(last, written));
      return EXIT.ok;
    } catch (error) {
      await this.#live.erase();
      const { exitCode } = this.#interrupts;
      if (exitCode !== null) return exitCode;
      return await this.#failed(error);
    } finally {
      this.#live.stop();
      this.#stop.abort();
      this.#interrupts.close();
      await watching;
    }
  }

  #results(): Promise<WrittenFile | null> {
    const { job, options } = this.#execution;
    const arena = resultArena();
    const { signal } = this.#stop;
    const results = resultKinds(job.plan).map(({ isSink }, root) => ({
      isSink,
      open: async () => (isSink ? null : await openResult(arena, this.#handle.rows(root, { signal }))),
    }));
    const clear = async () => {
      await this.#interrupts.answered();
      this.#live.stop();
      await this.#live.erase();
    };
    return printResults(this.#on, { command: "submit", ...options, arena, results, clear });
  }

  /** Nobody takes the rows any more, or the job itself went wrong. */
  async #failed(error: unknown): Promise<number> {
    const first = firstThrown(error);
    const isOwn = !(first instanceof JobFailedError);
    const isWanted = resultKinds(this.#execution.job.plan).some(({ isSink }) => isSink);
    if (first instanceof ClosedOutputError && isWanted) {
      await this.#handle.wait();
      return EXIT.ok;
    }
    if (isOwn && !isWanted) await this.#cancel();
    if (first instanceof ClosedOutputError) return EXIT.ok;
    const { plan, bundle } = this.#execution.job;
    if (first instanceof JobFailedError && first.planCode !== null) setCause(first, writtenAt(plan, first.message));
    return await reportFailure(this.#on, error, bundle.sourceMap);
  }

  async #cancel(): Promise<void> {
    await this.#handle.cancel({ timeoutMs: 5_000 }).catch(() => undefined);
  }

  /** Progress is shown as long as it can be had; what ends the job is told by its rows. */
  async #watch(): Promise<void> {
    if (!this.#live.isActive) return;
    const paint = paintFor(this.#on.err);
    try {
      for await (const progress of this.#handle.watch({ signal: this.#stop.signal })) {
        if (isEndState(progress.state)) return;
        const elapsedMs = this.#on.nowMs() - this.#startedMs;
        this.#live.draw((size) => progressLines(progress, { ...size, elapsedMs, paint }));
      }
    } catch {
      await this.#live.erase();
    }
  }

  #summary(last: JobProgress, written: WrittenFile | null): string {
    const paint = paintFor(this.#on.err);
    const { number, name, stages } = last;
    const elapsedMs = this.#on.nowMs() - this.#startedMs;
    const sources = stages.filter(({ inputs }) => inputs.length === 0);
    const rows = sources.reduce((sum, { rowsIn, rowsOut }) => sum + Math.max(rowsIn, rowsOut), 0);
    const read = new Set(stages.flatMap(({ inputs }) => inputs));
    const moved = stages.reduce((sum, stage) => sum + (read.has(stage.fragment) ? stage.bytesOut : 0), 0);
    const tasks = stages.reduce((sum, { parallelism }) => sum + parallelism, 0);
    const facts = [
      `${tasks} ${tasks === 1 ? "task" : "tasks"}`,
      ...(rows > 0 ? [`read ${rowCountText(rows)} (${rateText(rows, elapsedMs)})`] : []),
      ...(moved > 0 ? [`${bytesText(moved)} between tasks`] : []),
    ];
    const lines = [`Job ${number} ${name} finished in ${durationText(elapsedMs)}: ${facts.join(", ")}.`];
    if (written !== null) lines.push(`Wrote ${written.path}: ${rowCountText(written.rows)}.`);
    return `${lines.map((line) => paint.dim(line)).join("\n")}\n`;
  }
}
