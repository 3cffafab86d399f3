/** How soon a small job gives its first row, and how many small jobs a cluster finishes. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "../client.ts";
import { dataflow, Stream } from "../mod.ts";
import { atMost, type Figure, quantile, rounded, sorted } from "./cluster_figure.ts";
import { leaderOf, type NodeProcess, type Processes, treeCpuSeconds, withProcesses } from "./cluster_processes.ts";
import { clusterOf, rest, sage } from "./jobs_cluster.ts";

const ROWS = [
  { id: 1n, name: "Ada" },
  { id: 2n, name: "Grace" },
  { id: 3n, name: "Edsger" },
];
const TRIVIAL = dataflow("trivial", () => Stream.fromRows(ROWS));
const WARM_MS_MAX = { p50: 60, p99: 150 };
const COLD_MS_MAX = 400;
const WARMUPS = 20;

interface Times {
  /** From the call of `submit` to the first row. */
  readonly firstRowMs: number;
  readonly acceptedMs: number;
  /** To the end of the rows, which is the job's. */
  readonly endMs: number;
}

async function one(cluster: Cluster): Promise<Times> {
  const startMs = performance.now();
  const job = await cluster.submit(TRIVIAL);
  const acceptedMs = performance.now() - startMs;
  let firstRowMs = Number.NaN;
  const names: unknown[] = [];
  for await (const row of job.result()) {
    if (names.length === 0) firstRowMs = performance.now() - startMs;
    names.push(row["name"]);
  }
  const endMs = performance.now() - startMs;
  if (names.join() !== ROWS.map(({ name }) => name).join()) throw new Error(`Wrong rows: ${names.join()}.`);
  return { firstRowMs, acceptedMs, endMs };
}

/** Submits one after the other on a warm cluster of three, in turn through its leader and through another node. */
export function warm(submits: number): Promise<Figure[]> {
  return withProcesses(async (processes) => {
    const nodes = await processes.cluster(3);
    await rest();
    const leader = await leaderOf(processes, nodes);
    const others = nodes.filter((node) => node !== leader);
    await using near = await clusterOf(processes, [leader, ...others]);
    await using far = await clusterOf(processes, [...others, leader]);
    for (let run = 0; run < WARMUPS; run++) await one(run % 2 === 0 ? near : far);
    const times: Times[] = [];
    for (let run = 0; run < submits; run++) times.push(await one(run % 2 === 0 ? near : far));
    const first = sorted(times.map(({ firstRowMs }) => firstRowMs));
    const [p50, p99] = [quantile(first, 0.5), quantile(first, 0.99)];
    const parts = (["acceptedMs", "endMs"] as const).map((name) =>
      quantile(sorted(times.map((each) => each[name])), 0.5),
    );
    const byWay = [0, 1].map((way) =>
      quantile(sorted(times.filter((_, at) => at % 2 === way).map((t) => t.firstRowMs)), 0.5),
    );
    return [
      {
        what: `warm cluster of three: submit of 3 rows to the first row, ${submits} submits`,
        wanted: `p50 ≤ ${WARM_MS_MAX.p50} ms, p99 ≤ ${WARM_MS_MAX.p99} ms`,
        reached: `p50 ${rounded(p50)} ms, p99 ${rounded(p99)} ms`,
        holds: p50 <= WARM_MS_MAX.p50 && p99 <= WARM_MS_MAX.p99,
      },
      info("the same, medians: through the leader, through another node", `${byWay.map(rounded).join(", ")} ms`),
      info("the same, medians: accepted, ended", `${parts.map(rounded).join(", ")} ms`),
      await asCommand(processes, nodes),
    ];
  });
}

const COMMANDS = 9;

async function asCommand(processes: Processes, nodes: readonly NodeProcess[]): Promise<Figure> {
  const path = join(processes.directory, "trivial.ts");
  const rows = `[{ id: 1n, name: "Ada" }, { id: 2n, name: "Grace" }, { id: 3n, name: "Edsger" }]`;
  writeFileSync(
    path,
    `import { dataflow, Stream } from "sage";\nexport default dataflow("trivial", () => Stream.fromRows(${rows}));\n`,
  );
  const times: number[] = [];
  for (let run = 0; run < COMMANDS; run++) {
    const to = nodes[run % nodes.length]?.address ?? "";
    const { ms, stdout } = await sage(["submit", path, "--format", "csv", "--to", to], processes);
    if (!stdout.includes("Edsger")) throw new Error(`Wrong rows: ${stdout}.`);
    times.push(ms);
  }
  return info(
    "the same as a command: start of sage submit to its end",
    `p50 ${rounded(quantile(sorted(times), 0.5))} ms`,
  );
}

/** The very first job of fresh clusters of three, whose spares are up. */
export function cold(clusters: number): Promise<Figure[]> {
  const times: number[] = [];
  return (async () => {
    for (let run = 0; run < clusters; run++) {
      await withProcesses(async (processes) => {
        const nodes = await processes.cluster(3);
        await rest();
        await using cluster = await clusterOf(processes, nodes);
        times.push((await one(cluster)).firstRowMs);
      });
    }
    return [
      atMost(`the first job of a cluster of three to its first row, ${clusters} clusters`, "ms", times, COLD_MS_MAX),
    ];
  })();
}

const RATE_MIN = 50;
const IN_FLIGHT = 16;

/** Trivial jobs a second, from submit to the end of their rows, so many at the same time. */
export function throughput(seconds: number): Promise<Figure[]> {
  return withProcesses(async (processes) => {
    const nodes = await processes.cluster(3);
    await rest();
    await using cluster = await clusterOf(processes, nodes);
    for (let run = 0; run < WARMUPS; run++) await one(cluster);
    const times: number[] = [];
    const cpuBefore = [...nodes.map(({ pid }) => treeCpuSeconds(pid)), ownCpuSeconds()];
    const startMs = performance.now();
    const endMs = startMs + seconds * 1_000;
    const submitter = async (): Promise<void> => {
      while (performance.now() < endMs) times.push((await one(cluster)).endMs);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, submitter));
    const rate = times.length / ((performance.now() - startMs) / 1_000);
    const cpuAfter = [...nodes.map(({ pid }) => treeCpuSeconds(pid)), ownCpuSeconds()];
    const cpuMs = cpuAfter.map((seconds_, at) => (1_000 * (seconds_ - (cpuBefore[at] ?? 0))) / times.length);
    const ordered = sorted(times);
    return [
      info(
        "processor time of a trivial job: nodes with their executors, client",
        `${cpuMs.map(rounded).join(", ")} ms`,
      ),
      {
        what: `trivial jobs finished a second, three nodes, ${IN_FLIGHT} at a time`,
        wanted: `≥ ${RATE_MIN}`,
        reached: `${rounded(rate)} (one of them: p50 ${rounded(quantile(ordered, 0.5))} ms, p99 ${rounded(quantile(ordered, 0.99))} ms)`,
        holds: rate >= RATE_MIN,
      },
    ];
  });
}

function ownCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

export function info(what: string, reached: string): Figure {
  return { what, wanted: "", reached, holds: null };
}
