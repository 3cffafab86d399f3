/**
 * `npm run bench:jobs [-- --only warm,cold,throughput,shuffle,overhead,scaling,agent,manager] [--quick]`: what jobs on a cluster have to reach (docs/benchmarks.md),
 * measured on real processes of `dist/sage`, which is built where it is missing. Answers are checked in the same run.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Figure } from "./cluster_figure.ts";
import { EXECUTABLE } from "./cluster_processes.ts";
import { killedAgent, killedJobManager } from "./jobs_kills.ts";
import { cold, throughput, warm } from "./jobs_latency.ts";
import { shuffle } from "./jobs_shuffle.ts";
import { overhead, scaling } from "./jobs_work.ts";

const { values } = parseArgs({
  options: { only: { type: "string", default: "" }, quick: { type: "boolean", default: false } },
});
const isQuick = values.quick;

const PARTS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  warm: () => warm(isQuick ? 60 : 300),
  cold: () => cold(isQuick ? 1 : 5),
  throughput: () => throughput(isQuick ? 4 : 12),
  shuffle: () => shuffle({ megabytes: isQuick ? 512 : 4_096, rounds: 2 }),
  overhead: () => overhead({ rows: isQuick ? 2_000_000 : 6_000_000, pairs: isQuick ? 3 : 9 }),
  scaling: () => scaling({ rows: 24_000_000, fewRows: 6_000_000, pairs: isQuick ? 2 : 5 }),
  agent: () => killedAgent(isQuick ? 10 : 30),
  manager: () => killedJobManager(isQuick ? 10 : 30),
};

if (!existsSync(EXECUTABLE)) execFileSync("npm", ["run", "build"], { stdio: "inherit" });
const wanted = values.only === "" ? Object.keys(PARTS) : values.only.split(",");
const figures: Figure[] = [];
for (const name of wanted) {
  const part = PARTS[name];
  if (part === undefined) throw new Error(`--only knows ${Object.keys(PARTS).join(", ")}, not ${name}.`);
  const startMs = performance.now();
  console.error(`${name} …`);
  figures.push(...(await part()));
  console.error(`${name}: ${((performance.now() - startMs) / 1_000).toFixed(0)} s`);
}
console.log("| figure | wanted | reached | |\n|---|---|---|---|");
for (const { what, wanted: goal, reached, holds } of figures) {
  console.log(`| ${what} | ${goal} | ${reached} | ${holds === null ? "" : holds ? "✓" : "✗"} |`);
}
process.exit(figures.every(({ holds }) => holds !== false) ? 0 : 1);
