/**
 * The exchange of rows between two executors, as a job has it: rows that cost little are partitioned by a hash, sent
 * encrypted, decoded into the other's arena and counted, by two executors that both write and read. Beside it what
 * `bench/shuffle.ts` measures in the same run: the same from one process to another without tasks, and the bare transport.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Figure } from "./cluster_figure.ts";
import { type NodeProcess, type Processes, treeCpuSeconds, withProcesses } from "./cluster_processes.ts";
import { clusterOf, rest, tasksOf } from "./jobs_cluster.ts";
import { info } from "./jobs_latency.ts";
import { jobFile } from "./jobs_work.ts";

const RATE_MB_MIN = 500;
const SHARE_PERCENT_MIN = 60;
const RSS_MB_MAX = 300;
/** So few rows of sources that the job's stages run at the same time. */
const BASE_ROWS = 500_000;
const ROW_BYTES = 28;

export async function shuffle(options: { readonly megabytes: number; readonly rounds: number }): Promise<Figure[]> {
  const pieces = await output({ ...options, megabytes: Math.min(options.megabytes, 1_024) });
  const number = (pattern: RegExp): number => Number(pattern.exec(pieces)?.[1] ?? Number.NaN);
  const alone = number(/exchange, best\s+(\d+) MB\/s/);
  const share = number(/exchange \/ bare transport\s+(\d+) %/);
  const bare = (100 * alone) / share;
  const exchanges = await jobs(options);
  const rates = exchanges.map(({ bytes, seconds }) => bytes / 1e6 / seconds);
  const rate = Math.max(...rates);
  const rss = Math.max(...exchanges.map(({ peakMegabytes }) => peakMegabytes));
  const cpu = Math.min(...exchanges.map(({ cpuSeconds, bytes }) => (1e9 * cpuSeconds) / bytes));
  const wire = (100 * rate) / 2 / bare;
  return [
    {
      what: `rows through an exchange of two executors, ${options.megabytes} MB, half of them to the other`,
      wanted: `≥ ${RATE_MB_MIN} MB/s`,
      reached: `${rate.toFixed(0)} MB/s`,
      holds: rate >= RATE_MB_MIN,
    },
    info("the same: processor time of both executors", `${cpu.toFixed(2)} s a GB`),
    info("the same: what goes over the wire, to the bare transport", `${wire.toFixed(0)} %`),
    {
      what: "the same: most memory of an executor",
      wanted: `≤ ${RSS_MB_MAX} MB`,
      reached: `${rss.toFixed(0)} MB`,
      holds: rss <= RSS_MB_MAX,
    },
    {
      what: "all rows from one process to another, without tasks",
      wanted: `≥ ${RATE_MB_MIN} MB/s`,
      reached: `${alone} MB/s`,
      holds: alone >= RATE_MB_MIN,
    },
    {
      what: "the same, to the bare transport",
      wanted: `≥ ${SHARE_PERCENT_MIN} %`,
      reached: `${share} %`,
      holds: share >= SHARE_PERCENT_MIN,
    },
  ];
}

interface Exchanged {
  /** Given to the exchange. */
  readonly bytes: number;
  /** From the start of the first writer to the end of the last. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Resident, of the executor that had most. */
  readonly peakMegabytes: number;
}

function jobs({ megabytes, rounds }: { readonly megabytes: number; readonly rounds: number }): Promise<Exchanged[]> {
  return withProcesses(async (processes) => {
    const nodes = await processes.cluster(2, ["--slots", "4"]);
    await rest();
    await using cluster = await clusterOf(processes, nodes);
    const times = Math.max(2, Math.round((megabytes * 1e6) / ROW_BYTES / BASE_ROWS));
    const all: Exchanged[] = [];
    for (let round = 0; round <= rounds; round++) {
      const isWarmUp = round === 0;
      const params = { rows: BASE_ROWS, times: isWarmUp ? Math.ceil(times / 8) : times };
      const before = cpuSeconds(nodes);
      const job = await cluster.submit(jobFile("exchange"), { params, parallelism: 2, strategy: "roundRobin" });
      const [row] = await Array.fromAsync(job.result());
      // The other side of the join has a row of its own.
      if (Number(row?.["rows"]) !== BASE_ROWS * params.times + 1) throw new Error(`rows were lost: ${row?.["rows"]}`);
      if (!isWarmUp) all.push(await exchanged(processes, nodes, { jobId: job.id, cpu: cpuSeconds(nodes) - before }));
    }
    return all;
  });
}

async function exchanged(
  processes: Processes,
  nodes: readonly NodeProcess[],
  of: { readonly jobId: string; readonly cpu: number },
): Promise<Exchanged> {
  const tasks = await tasksOf(processes, nodes, of.jobId);
  const most = Math.max(...tasks.map(({ bytesOut }) => bytesOut));
  const writers = tasks.filter(({ bytesOut }) => bytesOut > most / 4);
  if (new Set(writers.map(({ node }) => node)).size !== nodes.length) throw new Error("not both executors write");
  return {
    bytes: writers.reduce((sum, { bytesOut }) => sum + bytesOut, 0),
    seconds: Math.max(...writers.map(({ elapsedMs }) => elapsedMs)) / 1e3,
    cpuSeconds: of.cpu,
    peakMegabytes: Math.max(...nodes.flatMap(({ pid }) => childrenOf(pid).map(peakMegabytesOf))),
  };
}

function cpuSeconds(nodes: readonly NodeProcess[]): number {
  return nodes.reduce((sum, { pid }) => sum + treeCpuSeconds(pid), 0);
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && numberIn(pid, /^PPid:\s+(\d+)/m) === parent);
}

function peakMegabytesOf(pid: number): number {
  return (numberIn(pid, /^VmHWM:\s+(\d+) kB/m) * 1_024) / 1e6;
}

function numberIn(pid: number, pattern: RegExp): number {
  try {
    return Number(pattern.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0; // it has ended meanwhile
  }
}

function output({ megabytes, rounds }: { readonly megabytes: number; readonly rounds: number }): Promise<string> {
  const program = fileURLToPath(new URL("shuffle.ts", import.meta.url));
  return new Promise((resolve, reject) => {
    const arguments_ = [program, "--megabytes", String(megabytes), "--rounds", String(rounds)];
    execFile(process.execPath, arguments_, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`bench/shuffle.ts: ${stderr.slice(-2_000)}`, { cause: error }));
    });
  });
}
