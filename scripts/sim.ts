/**
 * Runs whole clusters from seeds: `npm run sim -- [--seeds 1000] [--nodes 5] [--minutes 1] [--from 1] [--processes 1]`, one of
 * them with `--seed N [--trace] [--diagram FILE]`. `--profile jobs`: the same with jobs; `--profile thousand [--nodes 1000]`: a
 * crowd; `--profile jobs-thousand [--nodes 1000]`: a crowd with jobs.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { reportOf, runCrowd, runJobCrowd, runJobScenario, runScenario } from "../src/sim/mod.ts";
import { rest, settle, strayErrors } from "./sim_settle.ts";

const NUMBERS = { seeds: 1_000, from: 1, seed: 0, nodes: 0, minutes: 1, processes: 1 };
type NumberName = keyof typeof NUMBERS;
const TEXTS = ["diagram", "profile"] as const;

const numbers: Record<NumberName, number> = { ...NUMBERS };
const texts: Partial<Record<(typeof TEXTS)[number], string>> = {};
let hasTrace = false;

function parse(args: readonly string[]): void {
  for (let at = 0; at < args.length; at++) {
    const name = args[at]?.replace(/^--/, "") ?? "";
    if (name === "trace") hasTrace = true;
    else if (Object.hasOwn(NUMBERS, name)) {
      const value = Number(args[++at]);
      if (!(value >= 0)) throw new TypeError(`--${name} needs a number, not ${args[at]}`);
      numbers[name as NumberName] = value;
    } else if (TEXTS.includes(name as "diagram")) texts[name as "diagram"] = args[++at] ?? "";
    else
      throw new TypeError(
        `Unknown option ${args[at]}. There are: ${[...Object.keys(NUMBERS), ...TEXTS, "trace"].join(", ")}`,
      );
  }
}

const isTerminal = process.stderr.isTTY === true;

/** How often a line says how far it is where there is no terminal. */
const LINE_MS = 10_000;
let lineMs = performance.now();

function show(text: string): void {
  if (isTerminal) process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== "" && performance.now() - lineMs >= LINE_MS) {
    lineMs = performance.now();
    process.stderr.write(`${text}\n`);
  }
}

/** Seeds `from`, `from + step`, … below `end`; gives how many failed. */
async function run(from: number, end: number, step: number): Promise<number> {
  const { minutes } = numbers;
  const hasJobs = texts.profile === "jobs";
  const nodes = numbers.nodes || (hasJobs ? 3 : 5);
  const startMs = performance.now();
  let [failed, count, virtualMs, calls] = [0, 0, 0, 0];
  const summary = () => {
    const seconds = (performance.now() - startMs) / 1_000;
    const speed = `${(count / seconds).toFixed(2)} seeds/s, ${(virtualMs / 1_000 / seconds).toFixed(0)} virtual s/s`;
    return `${count} seeds, ${failed} failed, ${calls} ${texts.profile === "jobs" ? "jobs" : "calls"}; ${speed}`;
  };
  for (let seed = from; seed < end; seed += step) {
    const isTraced = hasTrace || texts.diagram !== undefined;
    const options = { seed, settle, nodes, minutes, hasTrace: isTraced, strayErrors };
    const result = hasJobs ? await runJobScenario(options) : await runScenario(options);
    count++;
    virtualMs += result.stats.virtualMs;
    calls += "calls" in result.stats ? result.stats.calls : result.stats.submitted;
    if (hasTrace) process.stdout.write(`${result.trace.text()}\n`);
    if (texts.diagram !== undefined) writeFileSync(texts.diagram, result.trace.diagram());
    if (result.violations.length > 0) {
      failed++;
      show("");
      const profile = hasJobs ? "--profile jobs " : "";
      const replay = `npm run sim -- ${profile}--seed ${seed} --nodes ${nodes} --minutes ${minutes} --trace`;
      process.stdout.write(reportOf(result, replay));
    } else if (numbers.seed > 0) process.stdout.write(`${JSON.stringify(result.stats)}\n`);
    show(`seed ${seed}: ${summary()}`);
  }
  show("");
  process.stdout.write(`${summary()}\n`);
  return failed;
}

/** The same in several processes, each with every n-th seed. */
async function fork(count: number): Promise<number> {
  const ends = Array.from({ length: count }, (_, index) => {
    const args = ["--from", String(numbers.from + index), "--seeds", String(numbers.seeds - index)];
    const options = ["--nodes", String(numbers.nodes), "--minutes", String(numbers.minutes)];
    if (texts.profile !== undefined) options.push("--profile", texts.profile);
    const child = spawn(process.execPath, [import.meta.filename, ...args, ...options], {
      stdio: ["ignore", "inherit", index === 0 ? "inherit" : "ignore"],
      env: { ...process.env, SIM_STEP: String(count) },
    });
    return new Promise<number>((resolve) => child.on("exit", (code) => resolve(code === 0 ? 0 : 1)));
  });
  const failed = await Promise.all(ends);
  return failed.reduce((sum, one) => sum + one, 0);
}

async function thousand(): Promise<number> {
  const nodes = numbers.nodes || 1_000;
  const startMs = performance.now();
  const progress = (what: string, count: number) =>
    show(`${((performance.now() - startMs) / 1_000).toFixed(0)} s: ${count} nodes ${what}`);
  const result = await runCrowd({ seed: numbers.seed || 1, settle, nodes, progress });
  show("");
  const lines = [
    `${nodes} nodes ready after ${(result.readyMs / 1_000).toFixed(1)} virtual s, acquainted after ${(result.acquaintedMs / 1_000).toFixed(1)}`,
    `posts a second: leader ${result.leaderPosts.toFixed(1)}, others ${result.meanPosts.toFixed(2)} on average, ${result.maxPosts.toFixed(1)} at most; ${result.meanBytes.toFixed(0)} bytes`,
    `a crash is known to half after ${(result.detectedMsP50 / 1_000).toFixed(1)} virtual s, to all after ${(result.detectedMsMax / 1_000).toFixed(1)}`,
    `${((performance.now() - startMs) / 1_000).toFixed(0)} s of real time`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return result.detectedMsMax <= 15_000 ? 0 : 1;
}

async function jobsThousand(): Promise<number> {
  const startMs = performance.now();
  const progress = (text: string) => {
    const mebibytes = Math.round(process.memoryUsage.rss() / 2 ** 20);
    show(`${((performance.now() - startMs) / 1_000).toFixed(0)} s, ${mebibytes} MiB: ${text}`);
  };
  // Of the thread that simulates: what the runtime compiles and collects beside it is of all nodes, not of the leader.
  const cpuMs = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1_000;
  };
  const result = await runJobCrowd({
    seed: numbers.seed || 1,
    settle,
    nodes: numbers.nodes || 1_000,
    cpuMs,
    progress,
    rest,
  });
  show("");
  const { nodes, jobs, tasks, finished, failed, open, crashes, virtualMs, leaderCpuMs, deployedTasks } = result;
  const lines = [
    `${jobs} jobs of ${tasks} tasks on ${nodes} nodes, ${crashes} of which crashed, in ${(virtualMs / 1_000).toFixed(0)} virtual s`,
    `${finished} finished, ${failed} reported as failed, ${open} neither`,
    `the leader's node took ${(leaderCpuMs / Math.max(1, deployedTasks)).toFixed(3)} ms of processor time for each of ${deployedTasks} deployed tasks (deciding, log, messages; less what it takes without jobs)`,
    `${((performance.now() - startMs) / 1_000).toFixed(0)} s of real time`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return open === 0 && leaderCpuMs <= deployedTasks ? 0 : 1;
}

parse(process.argv.slice(2));
const { seed, from, seeds, processes } = numbers;
const step = Number(process.env["SIM_STEP"] ?? 1);
let failed: number;
if (texts.profile === "thousand") failed = await thousand();
else if (texts.profile === "jobs-thousand") failed = await jobsThousand();
else if (seed > 0) failed = await run(seed, seed + 1, 1);
else if (processes > 1) failed = await fork(processes);
else failed = await run(from, from + seeds, step);
process.exit(failed === 0 ? 0 : 1);
