/**
 * Jobs under faults: {fault} × {moment} × {job}. Each case ends with the undisturbed result, or with a failed job that
 * gives a reason and has written nothing; and leaves no process and no file behind.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cluster, type Job, JobFailedError } from "../../../src/client/mod.ts";
import { Seeded } from "../../../src/sim/world/seeded.ts";
import { commandOf, pause } from "../../cluster_processes/harness.ts";
import { Hosts } from "../../cluster_processes/namespaces.ts";
import { type Fault, inflict, isCondition } from "./faults.ts";
import { JobsCluster, jobFile, resultOf, submit } from "./jobs_cluster.ts";
import { contentOf } from "./leftovers.ts";
import { Hold, type Phase } from "./phases.ts";

export interface MatrixJob {
  readonly name: string;
  readonly params?: Readonly<Record<string, unknown>>;
  /** Roots that give rows. */
  readonly roots: readonly number[];
}

export interface Case {
  readonly job: MatrixJob;
  readonly fault: Fault;
  readonly phase: Phase;
}

export interface Outcome {
  readonly case: Case;
  /** What the job was at when it was hit; null: it had ended. */
  readonly hit: string | null;
  readonly target: string;
  readonly ending: string;
  readonly tookMs: number;
  readonly wrong: readonly string[];
}

export interface MatrixOptions {
  readonly seed: number;
  readonly nodes?: number;
  readonly parallelism?: number;
  readonly cases: readonly Case[];
  /** Where logs of nodes are written after a case that is wrong. */
  readonly logs?: string;
  readonly say?: (line: string) => void;
}

interface Expected {
  readonly rows: readonly string[];
  readonly files: Readonly<Record<string, string>>;
}

const END_MS = 120_000;
const HEAL_MS = 60_000;
const WORK_DISK = "96m";
const SINK_DISK = "1m";

/** What a machine needs for a fault; null: it has it. */
export function lacksFor(fault: Fault): string | null {
  const isRoot = process.platform === "linux" && process.getuid?.() === 0;
  switch (fault) {
    case "cut link 5 s":
    case "slow network":
      return Hosts.lacks();
    case "full work disk":
    case "full sink disk":
      return isRoot ? null : "small disks need root on Linux";
    default:
      return process.platform === "linux" ? null : "processes are looked at on Linux only";
  }
}

/** A world that cases of one kind share. */
function worldOf(fault: Fault): string {
  switch (fault) {
    case "cut link 5 s":
    case "slow network":
    case "slow disk":
    case "full work disk":
      return fault;
    default:
      return "plain";
  }
}

export async function runMatrix(options: MatrixOptions): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const [kind, cases] of Map.groupBy(options.cases, ({ fault }) => worldOf(fault))) {
    const matrix = await Matrix.open(kind, options);
    try {
      for (const each of cases) {
        const outcome = await matrix.run(each);
        outcomes.push(outcome);
        options.say?.(outcomeText(outcome));
        if (outcome.wrong.length > 0) matrix.keepLogs(`${kind} ${outcomes.length}`.replaceAll(" ", "_"));
      }
    } finally {
      const left = await matrix.end();
      const last = outcomes.at(-1);
      if (left.length > 0 && last !== undefined) {
        outcomes[outcomes.length - 1] = { ...last, wrong: [...last.wrong, ...left] };
        options.say?.(`WRONG at the end: ${left.join("; ")}`);
      }
    }
  }
  return outcomes;
}

export function outcomeText({ case: of, hit, target, ending, tookMs, wrong }: Outcome): string {
  const where = hit === null ? "after its end" : hit;
  const head = `${of.job.name}, ${of.fault}${target === "" ? "" : ` (${target})`} ${of.phase} [${where}]`;
  const end = wrong.length === 0 ? ending : `WRONG: ${wrong.join("; ")}`;
  return `${(tookMs / 1_000).toFixed(1).padStart(5)} s  ${head}: ${end}`;
}

class Matrix {
  readonly #cluster: JobsCluster;
  readonly #hold: Hold;
  readonly #hosts: Hosts | null;
  readonly #options: MatrixOptions;
  readonly #random: Seeded;
  readonly #mounts: string[];
  readonly #expected = new Map<MatrixJob, Expected>();

  private constructor(
    cluster: JobsCluster,
    of: {
      readonly hold: Hold;
      readonly hosts: Hosts | null;
      readonly mounts: string[];
      readonly options: MatrixOptions;
    },
  ) {
    this.#cluster = cluster;
    this.#hold = of.hold;
    this.#hosts = of.hosts;
    this.#mounts = of.mounts;
    this.#options = of.options;
    this.#random = new Seeded(of.options.seed);
  }

  static async open(kind: string, options: MatrixOptions): Promise<Matrix> {
    const { nodes = 3 } = options;
    const needsHosts = kind === "cut link 5 s" || kind === "slow network";
    const hosts = needsHosts ? new Hosts(nodes) : null;
    const mounts: string[] = [];
    const hold = new Hold(mkdtempSync(join(tmpdir(), "sage-hold-")));
    const preloads = ["hold.ts", ...(kind === "slow disk" ? ["slow_disk.ts"] : [])];
    const bunOptions = preloads.map((name) => `--preload ${new URL(name, import.meta.url).pathname}`).join(" ");
    try {
      const cluster = await JobsCluster.found({
        nodes,
        ...(hosts === null ? {} : { hosts: hosts.hosts }),
        env: { BUN_OPTIONS: bunOptions, SAGE_TEST_HOLD: hold.directory },
        ...(kind === "full work disk"
          ? {
              memory: "512MiB",
              prepare: (path: string) => mountSmall(path, WORK_DISK, mounts),
              undo: () => unmount(mounts),
            }
          : {}),
      });
      if (kind === "slow network") hosts?.limit("40mbit");
      return new Matrix(cluster, { hold, hosts, mounts, options });
    } catch (error) {
      unmount(mounts);
      hosts?.end();
      rmSync(hold.directory, { recursive: true });
      throw error;
    }
  }

  async run(each: Case): Promise<Outcome> {
    const output = this.#cluster.newOutput();
    const client = await this.#cluster.client(output);
    const startMs = performance.now();
    const wrong: string[] = [];
    let hit: string | null = null;
    let target = "";
    let ending = "";
    try {
      const expected = await this.#expectedOf(each.job, client, output);
      if (each.fault === "full sink disk") mountSmall(output, SINK_DISK, this.#mounts);
      const isHit = !isCondition(each.fault);
      if (isHit) this.#hold.at(each.phase);
      const submittedMs = performance.now();
      const world = await this.#submit(each, client, output);
      const outcome = this.#endingOf(world.job, each.job.roots);
      const afterMs = isHit && each.phase !== "at any time" ? null : this.#random.next() * this.#shortestMs(each.job);
      const reached = await this.#hold.reached(world.job, afterMs);
      hit = reached?.text ?? null;
      const fault = await inflict(each.fault, world.job, {
        cluster: this.#cluster,
        random: this.#random,
        hosts: this.#hosts,
        killClient: world.kill,
        held: reached?.pids ?? [],
      });
      this.#hold.release();
      target = fault.what;
      ending = await outcome;
      if (ending === "") this.#took(each.job, performance.now() - submittedMs);
      await fault.healed;
      await this.#healed(wrong);
      if (ending === "") ending = await this.#check(each, world.job, { expected, output, wrong });
      else if (ending.startsWith("hangs")) wrong.push(ending);
      else await this.#check(each, world.job, { expected, output, wrong, reason: ending });
      await world.job.delete().catch((error: unknown) => wrong.push(`cannot be deleted: ${messageOf(error)}`));
      wrong.push(...(await this.#cluster.leftovers(output)));
      await this.#stillWorks(client, wrong);
    } catch (error) {
      wrong.push(`threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    } finally {
      this.#hold.release();
      if (each.fault === "full sink disk") unmount(this.#mounts.splice(this.#mounts.indexOf(output), 1));
      await client.close();
    }
    return { case: each, hit, target, ending, tookMs: performance.now() - startMs, wrong };
  }

  keepLogs(name: string): void {
    const { logs } = this.#options;
    if (logs === undefined) return;
    mkdirSync(logs, { recursive: true });
    for (const node of this.#cluster.nodes) writeFileSync(join(logs, `${name}_${node.name}.log`), node.story);
  }

  async end(): Promise<string[]> {
    this.#hosts?.heal();
    const left = await this.#cluster.end(() => unmount(this.#mounts));
    rmSync(this.#hold.directory, { recursive: true });
    this.#hosts?.end();
    return left;
  }

  async #submit({ job: of, fault }: Case, client: Cluster, output: string): Promise<{ job: Job; kill: () => void }> {
    const { parallelism = 4 } = this.#options;
    const { name, params = {} } = of;
    if (fault !== "kill client")
      return { job: await submit(client, name, { parallelism, params }), kill: () => undefined };
    const options = Object.entries({ ...params, out: join(output, `${name}.out`) });
    const texts = options.flatMap(([key, value]) => ["--param", `${key}=${String(value)}`]);
    const [program = "", ...rest] = commandOf("bun") ?? [];
    const args = [...rest, "submit", jobFile(name), "--parallelism", String(parallelism), ...texts];
    const unique = `by-client-${this.#random.below(1e9)}`;
    const child = spawn(program, [...args, "--name", unique], { env: this.#cluster.processes.env, stdio: "ignore" });
    const endMs = Date.now() + END_MS;
    for (;;) {
      await pause(50);
      const job = await client.jobs.find(unique).catch(() => null);
      if (job !== null) return { job, kill: () => void child.kill("SIGKILL") };
      if (Date.now() > endMs) throw new Error("the client submitted nothing");
    }
  }

  readonly #tookMs = new Map<MatrixJob, number>();

  #took(of: MatrixJob, ms: number): void {
    this.#tookMs.set(of, Math.min(ms, this.#shortestMs(of)));
  }

  /** In which it was done, on a machine that may have been busy the other times. */
  #shortestMs(of: MatrixJob): number {
    return this.#tookMs.get(of) ?? Number.POSITIVE_INFINITY;
  }

  /** What the job gives when nothing happens. */
  async #expectedOf(of: MatrixJob, client: Cluster, output: string): Promise<Expected> {
    const known = this.#expected.get(of);
    if (known !== undefined) return known;
    const startMs = performance.now();
    const job = await submit(client, of.name, { parallelism: this.#options.parallelism ?? 4, params: of.params ?? {} });
    const { rows } = await resultOf(job, of.roots);
    const tookMs = performance.now() - startMs;
    this.#took(of, tookMs);
    const expected = { rows, files: await contentOf(output) };
    await job.delete();
    for (const name of Object.keys(expected.files)) spawnSync("rm", ["-f", join(output, name)]);
    this.#expected.set(of, expected);
    this.#options.say?.(`${of.name} undisturbed: ${(tookMs / 1000).toFixed(1)} s, ${rows.join(" ")}`);
    return expected;
  }

  readonly #rows = new WeakMap<Job, readonly string[]>();

  /** Empty when it has finished; else why it has not. */
  async #endingOf(job: Job, roots: readonly number[]): Promise<string> {
    const stop = new AbortController();
    const ended = resultOf(job, roots, stop.signal).then(
      ({ rows }) => {
        this.#rows.set(job, rows);
        return "";
      },
      (error: unknown) =>
        error instanceof JobFailedError ? `${error.code}: ${error.message}` : `threw: ${messageOf(error)}`,
    );
    const late = pause(END_MS).then(async () => {
      const { state, waiting } = await job.status();
      return `hangs: ${state} after ${END_MS / 1000} s${waiting === null ? "" : `, ${waiting}`}`;
    });
    const ending = await Promise.race([ended, late.catch((error: unknown) => `hangs: ${messageOf(error)}`)]);
    stop.abort();
    return ending;
  }

  async #check(
    { job: of, fault }: Case,
    job: Job,
    given: { expected: Expected; output: string; wrong: string[]; reason?: string },
  ): Promise<string> {
    const { expected, output, wrong, reason } = given;
    const { state } = await job.status();
    const files = Object.values(await contentOf(output));
    const wanted = Object.values(expected.files);
    const areFilesWhole = files.join() === wanted.join();
    if (reason === undefined || reason.startsWith("rows-lost")) {
      if (state !== "finished") wrong.push(`its rows were given, but it is ${state}`);
      if (!areFilesWhole)
        wrong.push(`files ${JSON.stringify(await contentOf(output))}, not ${JSON.stringify(expected.files)}`);
      const rows = this.#rows.get(job);
      if (rows !== undefined && rows.join() !== expected.rows.join()) {
        wrong.push(`rows ${rows.join()}, not ${expected.rows.join()}`);
      }
      if (fault === "full sink disk" && of.name !== "shuffle") wrong.push("a full disk was not noticed");
      return `as undisturbed`;
    }
    if (state !== "failed") wrong.push(`${reason}, but it is ${state}`);
    if (reason.startsWith("threw")) wrong.push(reason);
    if (files.length > 0) wrong.push(`it failed (${reason}), and left ${JSON.stringify(await contentOf(output))}`);
    return reason;
  }

  async #healed(wrong: string[]): Promise<void> {
    const { nodes, processes } = this.#cluster;
    for (const node of nodes) {
      if (node.isRunning) continue;
      const { code, signal } = await node.ended();
      wrong.push(`${node.name} has ended by itself (${code ?? signal}): ${node.tail}`);
      node.start();
    }
    await Promise.all(nodes.map((node) => node.ready(HEAL_MS)));
    const isWell = (status: { leader: string | null; members: readonly { health: string }[] }) =>
      status.leader !== null && status.members.every(({ health }) => health === "alive");
    await processes.status(isWell, HEAL_MS);
    wrong.push(...(await this.#cluster.differences(HEAL_MS)));
  }

  async #stillWorks(client: Cluster, wrong: string[]): Promise<void> {
    const job = await submit(client, "orders");
    const ending = await this.#endingOf(job, [0]);
    if (ending !== "") wrong.push(`the next job: ${ending}`);
    await job.delete();
  }
}

function mountSmall(path: string, size: string, mounts: string[]): void {
  mkdirSync(path, { recursive: true });
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=700`, "sage-test", path]);
  if (status !== 0) throw new Error(`no small disk at ${path}: ${String(stderr)}`);
  mounts.push(path);
}

function unmount(paths: readonly string[]): void {
  for (const path of paths) spawnSync("umount", ["-l", path]);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
