/**
 * `npm run demo:cluster`: three nodes on this machine, a job on them, and `kill -9` of a node that runs its tasks, half-way. The
 * rows are compared with those of `sage run`. All that it starts is ended, all that it writes is removed.
 */
import { execFile } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pc from "picocolors";
import { leaderOf, type NodeProcess, Processes, until } from "../bench/cluster_processes.ts";
import { clusterOf } from "../bench/jobs_cluster.ts";
import type { Cluster, Job, JobProgress } from "../client.ts";
import { clusterStatus } from "../src/protocol/mod.ts";

type Task = JobProgress["tasks"][number];

/** So often the file of 3 million flights is read: the job must last until somebody has seen it. */
const COPIES = 8;
const FLIGHTS = 3_000_000 * COPIES;
const TASKS = 6;
const SLOTS = ["--slots", "4"];
const LOOK_MS = 250;

const root = fileURLToPath(new URL("../", import.meta.url));
const program = [process.execPath, join(root, "cli.ts")];
const colors = pc.createColors(process.stdout.isTTY === true && pc.isColorSupported);
const startMs = performance.now();

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

function say(text: string, note = ""): void {
  clear();
  const time = colors.dim(seconds(performance.now() - startMs).padStart(7));
  console.log(`${time}  ${text}${note === "" ? "" : colors.dim(`  ${note}`)}`);
}

/** A line that the next one replaces; nothing where there is no terminal. */
function live(text: string): void {
  if (process.stdout.isTTY === true) process.stdout.write(`\r\x1b[2K         ${text}`);
}

function clear(): void {
  if (process.stdout.isTTY === true) process.stdout.write("\r\x1b[2K");
}

/** Like the example, with a function of its own, over its file under so many names. */
const JOB = `import { avg, col, count, dataflow, quantile, Stream } from "sage";

export default dataflow("flights", () =>
  Stream.fromParquet("flights-*.parquet", {
    schema: { date: "timestamp[us]", delay: "int64", distance: "int64", origin: "utf8", destination: "utf8" },
  })
    .filter(col("distance").gt(500).and(col("delay").isNotNull()))
    .map((row) => ({ ...row, late: row.delay > 15 ? 100 : 0 }), {
      origin: "utf8",
      destination: "utf8",
      delay: "int64",
      late: "int64",
    })
    .groupBy("origin", "destination")
    .aggregate({ flights: count(), mean_delay_min: avg("delay"), median_delay_min: quantile("delay", 0.5), late_percent: avg("late") })
    .orderBy({ flights: "desc", origin: "asc", destination: "asc" })
    .limit(10),
);
`;

interface Stage {
  readonly processes: Processes;
  readonly nodes: readonly NodeProcess[];
  readonly path: string;
}

async function demo(processes: Processes): Promise<void> {
  console.log(colors.bold("A cluster of three nodes on this machine, and a job that loses one of them\n"));
  const path = join(processes.directory, "flights.ts");
  writeFileSync(path, JOB);
  const file = join(root, "node_modules/vega-datasets/data/flights-3m.parquet");
  for (let copy = 1; copy <= COPIES; copy++) symlinkSync(file, join(processes.directory, `flights-${copy}.parquet`));
  process.chdir(processes.directory);
  const alone = await runAlone(path, processes.environment);
  const nodes = await startNodes(processes);
  const stage = { processes, nodes, path };
  const leader = await leaderOf(processes, nodes);
  say(`three nodes are up, ${node(leader.name)} leads`, "sage cluster status");
  await using cluster = await clusterOf(processes, nodes);
  const rows = await runOnCluster(stage, cluster);
  say(
    rows === alone ? colors.green("✓ the same rows as sage run gave") : colors.red("✗ other rows than sage run gave"),
  );
  if (rows !== alone) process.exitCode = 1;
  await showMembers(stage);
}

async function runAlone(path: string, environment: NodeJS.ProcessEnv): Promise<string> {
  say("without a cluster first, to compare", "sage run flights.ts");
  const [file = "", ...before] = program;
  const ranMs = performance.now();
  const { stdout } = await promisify(execFile)(file, [...before, "run", path, "--format", "json", "--quiet"], {
    env: environment,
  });
  say(`${rowsOf(stdout).length} rows after ${seconds(performance.now() - ranMs)}`);
  return textOf(rowsOf(stdout));
}

/** Rows that `--format json` gives: a line each. */
function rowsOf(text: string): Record<string, unknown>[] {
  const lines = text.trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>); // an object, as each row is
}

/** Integers of 64 bits come as numbers here and as bigints there. */
function textOf(rows: readonly Record<string, unknown>[]): string {
  return rows.map((row) => Object.values(row).map(String).join(" ")).join("\n");
}

async function startNodes(processes: Processes): Promise<NodeProcess[]> {
  const first = await processes.start("n1", SLOTS);
  say(`${node("n1")} is up: a new cluster; it prints a line for others`, "sage node");
  const nodes = [first];
  for (const name of ["n2", "n3"]) {
    nodes.push(await processes.start(name, [...first.joinArguments, ...SLOTS]));
    say(`${node(name)} has joined with that line`, "sage node --join … --token …");
  }
  await processes.settle(nodes);
  return nodes;
}

async function runOnCluster({ processes, nodes, path }: Stage, cluster: Cluster): Promise<string> {
  const submittedMs = performance.now();
  const job = await cluster.submit(path, { parallelism: TASKS, strategy: "roundRobin" });
  say(`job ${job.number} is accepted: it is in the log of a majority`, "sage submit flights.ts");
  const rows = Array.fromAsync(job.result());
  // Whoever waits for them hears of it.
  rows.catch(() => undefined);
  await untilHalf(job);
  const { tasks } = await job.status();
  say(`half of the ${FLIGHTS / 1e6} million flights are read: ${placesOf(tasks)}`, `sage jobs show ${job.number}`);
  const victim = await chosenVictim(processes, nodes, tasks);
  const lost = tasks.filter((task) => task.node === victim.name && task.status === "running");
  say(colors.red(`kill -9 ${victim.name}`), `pid ${victim.pid}; its executor goes with it`);
  const killMs = performance.now();
  await victim.kill("SIGKILL");
  await until(async () => {
    const again = (await job.status()).tasks.filter((task) => isAgain(task, lost));
    return again.length === lost.length;
  });
  const moved = (await job.status()).tasks.filter((task) => isAgain(task, lost));
  say(`${moved.map(placeOf).join(", ")}`, `run again ${seconds(performance.now() - killMs)} after the kill`);
  const showing = showProgress(job);
  const found = await rows;
  await showing;
  const readers = (await job.status()).tasks.filter(({ fragment }) => fragment === 0);
  const once = readers.filter(({ attempt }) => attempt === 1).length;
  say(`finished after ${seconds(performance.now() - submittedMs)}`, `${once} of ${readers.length} readers ran once`);
  for (const row of found.slice(0, 3)) say(`   ${rowText(row)}`);
  return textOf(found);
}

function rowText(row: Record<string, unknown>): string {
  const [origin, destination, flights, , , late] = Object.values(row).map(String);
  return `${origin} → ${destination}: ${flights} flights, ${Number(late).toFixed(1)} % late`;
}

async function untilHalf(job: Job): Promise<void> {
  for (;;) {
    const progress = await job.status();
    if (readOf(progress) >= FLIGHTS / 2 || progress.state === "finished") return clear();
    live(progressText(progress));
    await Bun.sleep(LOOK_MS);
  }
}

async function showProgress(job: Job): Promise<void> {
  for await (const progress of job.watch()) live(progressText(progress));
  clear();
}

function readOf({ stages }: JobProgress): number {
  return stages[0]?.rowsIn ?? 0;
}

function progressText(progress: JobProgress): string {
  const share = Math.min(1, readOf(progress) / FLIGHTS);
  const bar = "█".repeat(Math.round(share * 30)).padEnd(30, "░");
  return `${progress.state.padEnd(10)} ${colors.cyan(bar)} ${(readOf(progress) / 1e6).toFixed(0)} million flights`;
}

/** The one with the most running tasks; another than the leader where there is a choice. */
async function chosenVictim(processes: Processes, nodes: readonly NodeProcess[], tasks: readonly Task[]) {
  const leader = await leaderOf(processes, nodes);
  const count = ({ name }: NodeProcess) =>
    tasks.filter((task) => task.node === name && task.status === "running").length;
  const ordered = [...nodes].sort((a, b) => count(b) - count(a) || Number(a === leader) - Number(b === leader));
  const [victim] = ordered;
  if (victim === undefined || count(victim) === 0) throw new Error("The job had ended before a node could be killed.");
  return victim;
}

function isAgain(task: Task, lost: readonly Task[]): boolean {
  const before = lost.find(({ fragment, index }) => fragment === task.fragment && index === task.index);
  return before !== undefined && task.attempt > before.attempt && task.node !== null;
}

function placeOf({ fragment, index, node: name }: Task): string {
  return `task ${fragment}.${index} → ${node(name ?? "")}`;
}

function placesOf(tasks: readonly Task[]): string {
  const names = [...new Set(tasks.flatMap(({ node: name }) => (name === null ? [] : [name])))].sort();
  const running = (name: string) => tasks.filter((task) => task.node === name && task.status === "running").length;
  return names.map((name) => `${node(name)} runs ${running(name)}`).join(", ");
}

function node(name: string): string {
  return colors.bold(name);
}

async function showMembers({ processes, nodes }: Stage): Promise<void> {
  const client = await processes.client(nodes.map(({ address }) => address));
  const { members, leader } = await client.call(clusterStatus, {});
  const text = members.map(({ name, peer, health }) => `${node(name)} ${health}${peer === leader ? ", leads" : ""}`);
  say(`the cluster: ${text.join("; ")}`, "sage cluster status");
  await processes.close(client);
}

const processes = new Processes(program);
const end = async (): Promise<void> => {
  process.chdir(root);
  await processes.end();
};
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void end().then(() => process.exit(130)));
try {
  await demo(processes);
} catch (error) {
  clear();
  console.error(colors.red(error instanceof Error ? error.message : String(error)));
  process.exitCode = 1;
} finally {
  await end();
  say("all nodes are ended, and what they wrote is removed");
}
process.exit();
