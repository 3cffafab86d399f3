/** What must hold of jobs: while they run, and when all is quiet. */
import { type ClusterState, isEnded, type JobRecord } from "../../cluster/mod.ts";
import type { LogCheck } from "../check/log_check.ts";
import { SHARED } from "../executors/virtual_spawner.ts";
import { sinkPathsOf } from "./catalog.ts";
import type { JobNote } from "./job_client.ts";
import { type JobCluster, WORK_DIRECTORY } from "./job_cluster.ts";
import { linesOf, undisturbed } from "./undisturbed.ts";

/** `.name.job-jobAttempt-fragment-index-attempt.tmp` */
const TEMPORARY = /\.([0-9a-f]{32})-(\d+)-(\d+)-(\d+)-(\d+)(?:-\d+)?\.tmp$/;
/** Executors that an agent keeps without a job. */
const SPARES_MAX = 2;

interface Committed {
  readonly path: string;
  readonly attempt: string;
}

/** Sees each file get its name. */
export class SinkCheck {
  readonly #jobs: JobCluster;
  readonly #log: LogCheck;
  /** By job, its attempt and task: the attempt of the task that has committed. */
  readonly #committed = new Map<string, Committed>();
  /** What every file was when it got its name. */
  readonly written = new Map<string, Uint8Array[]>();

  constructor(jobs: JobCluster, log: LogCheck) {
    this.#jobs = jobs;
    this.#log = log;
    jobs.shared.renamed = (from, to) => this.#renamed(from, to);
  }

  #renamed(from: string, to: string): void {
    const [, job = "", jobAttempt = "", fragment = "", index = "", attempt = ""] = TEMPORARY.exec(from) ?? [];
    if (job === "") return this.#log.fail("sink-wrong", `${to} was written from ${from}, which no run is named after`);
    const key = `${job}-${jobAttempt}-${fragment}-${index}`;
    const other = this.#committed.get(key);
    if (other !== undefined) {
      this.#log.fail("sink-wrong", `${to}: attempts ${other.attempt} and ${attempt} of task ${key} have committed`);
    }
    this.#committed.set(key, { path: to, attempt });
    this.#jobs.cluster.note("shared", `${to} is written by ${key}, attempt ${attempt}`);
    const bytes = this.#jobs.shared.read(to);
    const list = this.written.get(to) ?? [];
    this.written.set(to, list);
    if (bytes !== null) list.push(bytes);
  }
}

/** Holds each job against the log, and what it wrote against what it should have written. */
export async function checkJobs(
  jobs: JobCluster,
  log: LogCheck,
  of: { notes: readonly JobNote[]; sinks: SinkCheck },
): Promise<void> {
  const state = jobs.cluster.leader?.node?.replica.state;
  if (state === undefined) return log.fail("no-agreement", "there is no leader at the end");
  for (const note of of.notes) {
    const record = state.jobs.get(note.jobId) ?? null;
    checkEnd(note, record, log);
    await checkSinks(note, { record, jobs, log, sinks: of.sinks });
  }
}

function checkEnd(note: JobNote, record: JobRecord | null, log: LogCheck): void {
  const { number, verbs, spec, isStubborn, end } = note;
  const name = `job ${number} (${spec.kind}, ${verbs.join(" ") || "no verbs"})`;
  if (record === null) {
    if (!verbs.includes("delete")) log.fail("job-lost", `${name} was accepted and is not in the log`);
    return;
  }
  const reason = record.history.at(-1)?.reason ?? "";
  if (!isEnded(record.state)) return log.fail("job-lost", `${name} is still ${record.state}: ${reason}`);
  if (end === null) return log.fail("job-lost", `the client of ${name} was never told that it is ${record.state}`);
  if (reason === "" && record.state !== "finished")
    log.fail("job-wrong", `${name} is ${record.state} without a reason`);
  const may = new Set<string>();
  if (verbs.includes("cancel")) may.add("cancelled");
  if (verbs.includes("stop")) may.add("stopped");
  if (spec.kind === "fails") may.add("failed");
  else {
    may.add("finished");
    if (!isStubborn && !reason.startsWith("final:")) may.add("failed");
  }
  if (!may.has(record.state)) log.fail("job-wrong", `${name} is ${record.state}: ${reason}`);
}

async function checkSinks(
  note: JobNote,
  of: {
    readonly record: JobRecord | null;
    readonly jobs: JobCluster;
    readonly log: LogCheck;
    readonly sinks: SinkCheck;
  },
): Promise<void> {
  const { spec, number, end } = note;
  const { jobs, log, sinks } = of;
  const paths = sinkPathsOf(spec);
  if (paths.length === 0) {
    const count = sinks.written.get(spec.path)?.length ?? 0;
    if (count > 0) log.fail("sink-wrong", `job ${number} wrote ${spec.path}, but it has no sink`);
    return;
  }
  const wanted = (await undisturbed(spec)).sinks;
  let standing = 0;
  for (const [sink, path] of paths.entries()) {
    const now = jobs.shared.read(path);
    if (now !== null) standing++;
    const written = sinks.written.get(path) ?? [];
    checkLines(now === null ? written : [...written, now], wanted[sink] ?? [], (text) =>
      log.fail("sink-wrong", `${path} of job ${number}: ${text}`),
    );
    if (end?.state === "finished" && now === null)
      log.fail("sink-wrong", `${path} of finished job ${number} is not there`);
  }
  const saysSo = of.record?.history.some(({ reason }) => reason.includes("the output was not whole")) ?? true;
  if (standing > 0 && standing < paths.length && !saysSo)
    log.fail("sink-wrong", `of job ${number}'s ${paths.length} files ${standing} stand, and nothing says so`);
}

function checkLines(all: readonly Uint8Array[], wanted: readonly string[], wrong: (text: string) => void): void {
  for (const bytes of all) {
    const got = linesOf(bytes);
    const isEqual = got.length === wanted.length && got.every((line, at) => line === wanted[at]);
    if (!isEqual) wrong(`${got.length} lines, not ${wanted.length}, or other ones`);
  }
}

/** What jobs have left behind; null: nothing. */
export function leftovers(jobs: JobCluster, state: ClusterState): string | null {
  const temporary = jobs.shared.paths(SHARED.slice(0, -1)).filter((path) => path.endsWith(".tmp"));
  if (temporary.length > 0) return `temporary files are left: ${temporary.join(" ")}`;
  const term = Math.max(...jobs.cluster.nodes.map(({ node }) => node?.replica.consensus.status().term ?? 0));
  for (const { node, agent, machine } of jobs.workers) {
    const { name } = node;
    if (agent.slotsUsed > 0) return `${name} has ${agent.slotsUsed} slots in use`;
    const { reports, results } = agent.inventory({ term });
    const [report] = reports;
    if (report !== undefined) return `${name} has a run of job ${report.jobId} still: ${report.status}`;
    for (const { jobId, jobAttempt } of results) {
      const record = state.jobs.get(jobId);
      if (record?.state !== "finished" || record.attempt !== jobAttempt) {
        return `${name} keeps rows of attempt ${jobAttempt} of job ${jobId}, which is ${record?.state ?? "gone"} in attempt ${record?.attempt}`;
      }
    }
    if (machine.processes.length > SPARES_MAX) return `${name} has ${machine.processes.length} executors`;
    const holder = machine.processes.find(({ arena }) => arena.bytesInUse() > 0);
    if (holder !== undefined) return `executor ${holder.pid} of ${name} holds ${holder.arena.bytesInUse()} bytes`;
    const files = jobs.filesOf(node).paths(WORK_DIRECTORY);
    const stray = files.filter(
      (path) => !path.startsWith(`${WORK_DIRECTORY}/results/`) && !path.startsWith(`${WORK_DIRECTORY}/logs/`),
    );
    stray.push(...jobs.filesOf(node).paths(`${WORK_DIRECTORY}.sinks`));
    if (stray.length > 0) return `${name} has files: ${stray.join(" ")}`;
  }
  return null;
}
