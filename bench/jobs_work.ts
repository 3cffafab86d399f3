/** What the cluster costs a job that computes: against `sage run`, and two nodes of one core each against one. */
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Cluster } from "../client.ts";
import { type Figure, quantile, rounded, sorted } from "./cluster_figure.ts";
import { type NodeProcess, type Processes, treeCpuSeconds, withProcesses } from "./cluster_processes.ts";
import { clusterOf, rest, sage } from "./jobs_cluster.ts";
import { info } from "./jobs_latency.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

export function jobFile(name: string): string {
  return join(root, "bench/jobs", `${name}.ts`);
}

const SUBMIT_RATIO_MAX = 1.1;

/** The same commands in turn, from the start of the process to its end. */
export function overhead(options: { readonly rows: number; readonly pairs: number }): Promise<Figure[]> {
  return withProcesses(async (processes) => {
    const nodes = await processes.cluster(1);
    const directory = workDirectory(processes);
    const lineitem = await table(processes, "lineitem", options.rows);
    await rest();
    const cases = [
      { name: "flights", arguments_: [join(root, "examples/flights.ts")] },
      { name: "TPC-H Q1 shape", arguments_: [jobFile("q1"), "--param", `lineitem=${lineitem}`] },
    ];
    const figures: Figure[] = [];
    for (const { name, arguments_ } of cases) {
      const command = (verb: string) =>
        sage([verb, ...arguments_, "--format", "csv", "--quiet"], { environment: processes.environment, directory });
      const times: { readonly run: number; readonly submit: number }[] = [];
      for (let pair = 0; pair <= options.pairs; pair++) {
        const run = await command("run");
        const submit = await command("submit");
        if (run.stdout !== submit.stdout) throw new Error(`${name}: sage submit gives other rows than sage run.`);
        if (pair > 0) times.push({ run: run.ms, submit: submit.ms });
      }
      figures.push(ratioFigure(`sage submit to one node against sage run: ${name}`, times));
    }
    await nodes[0]?.kill("SIGTERM");
    return figures;
  });
}

function ratioFigure(what: string, times: readonly { readonly run: number; readonly submit: number }[]): Figure {
  const ratio = median(times.map(({ run, submit }) => submit / run));
  const [run, submit] = [median(times.map((each) => each.run)), median(times.map((each) => each.submit))];
  return {
    what,
    wanted: `≤ ${SUBMIT_RATIO_MAX} ×`,
    reached: `${ratio.toFixed(2)} × (${rounded(submit)} ms, ${rounded(run)} ms)`,
    holds: ratio <= SUBMIT_RATIO_MAX,
  };
}

const SCALE_RATIO_MIN = 1.6;

/**
 * A node on one core against two nodes on one core each, in turn; the idle ones stay. Wanted of `rows`, of which two nodes
 * have enough to do; what comes of `fewRows` is told as well.
 */
export async function scaling(options: {
  readonly rows: number;
  readonly fewRows: number;
  readonly pairs: number;
}): Promise<Figure[]> {
  return withProcesses((one) =>
    withProcesses(async (two) => {
      const single = await one.start("n1", ["--slots", "1"], { core: 0 });
      const first = await two.start("n1", ["--slots", "1"], { core: 0 });
      const second = await two.start("n2", [...first.joinArguments, "--slots", "1"], { core: 1 });
      await two.settle([first, second]);
      const sizes = [
        { rows: options.rows, isWanted: true },
        { rows: options.fewRows, isWanted: false },
      ];
      const orders = await table(one, "orders", 1_500_000);
      await rest();
      await using near = await clusterOf(one, [single]);
      await using far = await clusterOf(two, [first]);
      const figures: Figure[] = [];
      for (const { rows, isWanted } of sizes) {
        const facts = await table(one, "facts", rows);
        const million = `${rows / 1e6} M rows`;
        const cases = [
          { name: `group by, 1 M groups, ${million}`, file: "groups", params: { facts } },
          { name: `large join, ${million}`, file: "join", params: { facts, orders } },
        ];
        for (const { name, file, params } of cases) {
          const runs: { readonly alone: JobRun; readonly both: JobRun }[] = [];
          for (let pair = 0; pair <= options.pairs; pair++) {
            const alone = await runJob(near, [single], { file, params });
            const both = await runJob(far, [first, second], { file, params });
            if (alone.rows !== both.rows)
              throw new Error(`${name}: ${both.rows} from two nodes, ${alone.rows} from one.`);
            if (pair > 0) runs.push({ alone, both });
          }
          figures.push(...scaleFigures(name, runs, isWanted));
        }
      }
      return figures;
    }),
  );
}

interface JobRun {
  readonly ms: number;
  readonly rows: string;
  /** Of each node with its executors. */
  readonly cpuSeconds: readonly number[];
}

async function runJob(
  cluster: Cluster,
  nodes: readonly NodeProcess[],
  job: { readonly file: string; readonly params: Readonly<Record<string, string>> },
): Promise<JobRun> {
  const before = nodes.map(({ pid }) => treeCpuSeconds(pid));
  const startMs = performance.now();
  const submitted = await cluster.submit(jobFile(job.file), { params: job.params });
  const rows = (await Array.fromAsync(submitted.result())).map((row) => Object.values(row).join(" ")).join("\n");
  const ms = performance.now() - startMs;
  return { ms, rows, cpuSeconds: nodes.map(({ pid }, at) => treeCpuSeconds(pid) - (before[at] ?? 0)) };
}

function scaleFigures(
  name: string,
  runs: readonly { readonly alone: JobRun; readonly both: JobRun }[],
  isWanted: boolean,
): Figure[] {
  const ratio = median(runs.map(({ alone, both }) => alone.ms / both.ms));
  const [one, two] = [median(runs.map(({ alone }) => alone.ms)), median(runs.map(({ both }) => both.ms))];
  const cpu = runs.map(({ alone, both }) => (alone.cpuSeconds[0] ?? 0) / Math.max(...both.cpuSeconds));
  const seconds = (of: (run: (typeof runs)[number]) => number) => rounded(median(runs.map(of)));
  return [
    {
      what: `two nodes on a core each against one: ${name}`,
      wanted: isWanted ? `≥ ${SCALE_RATIO_MIN} ×` : "",
      reached: `${ratio.toFixed(2)} × (${rounded(two)} ms, ${rounded(one)} ms)`,
      holds: isWanted ? ratio >= SCALE_RATIO_MIN : null,
    },
    info(
      "the same in processor time: of one node, and of the busier of two",
      `${median(cpu).toFixed(2)} × (${seconds(({ alone }) => alone.cpuSeconds[0] ?? 0)} s, ${seconds(({ both }) => Math.max(...both.cpuSeconds))} s)`,
    ),
  ];
}

/** Where jobs find their files as in a clone, and write theirs. */
function workDirectory(processes: Processes): string {
  const directory = join(processes.directory, "work");
  mkdirSync(directory, { recursive: true });
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
  return directory;
}

async function table(processes: Processes, kind: string, rows: number): Promise<string> {
  const out = join(processes.directory, `${kind}.parquet`);
  const given = [`kind=${kind}`, `rows=${rows}`, `out=${out}`].flatMap((each) => ["--param", each]);
  await sage(["run", jobFile("tables"), ...given, "--quiet"], { environment: processes.environment });
  return out;
}

function median(values: readonly number[]): number {
  return quantile(sorted(values), 0.5);
}
