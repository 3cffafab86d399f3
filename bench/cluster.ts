/**
 * `npm run bench:cluster [-- --only startup,idle,join,failover,proposals,stream,detection,simulator] [--kills 50] [--seconds 10]`:
 * what the cluster has to reach (docs/benchmarks.md), measured on real processes of `dist/sage`, which is built where it is missing.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import type { Figure } from "./cluster_figure.ts";
import { failover, idle, join, startup } from "./cluster_life.ts";
import { EXECUTABLE } from "./cluster_processes.ts";
import { proposals } from "./cluster_proposals.ts";
import { detection, simulator, stream } from "./cluster_world.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    kills: { type: "string", default: "50" },
    seconds: { type: "string", default: "10" },
  },
});

const PARTS: Readonly<Record<string, () => Promise<Figure[]>>> = {
  startup,
  idle,
  join,
  failover: () => failover(Number(values.kills)),
  proposals: () => proposals(Number(values.seconds)),
  stream,
  detection,
  simulator,
};

/** Builds the executable where there is none. */
if (!existsSync(EXECUTABLE)) execFileSync("npm", ["run", "build"], { stdio: "inherit" });
const wanted = values.only === "" ? Object.keys(PARTS) : values.only.split(",");
const figures: Figure[] = [];
for (const name of wanted) {
  const part = PARTS[name];
  if (part === undefined) throw new Error(`--only knows ${Object.keys(PARTS).join(", ")}, not ${name}.`);
  console.error(`${name} …`);
  figures.push(...(await part()));
}
console.log("| figure | wanted | reached | |\n|---|---|---|---|");
for (const { what, wanted: goal, reached, holds } of figures) {
  console.log(`| ${what} | ${goal} | ${reached} | ${holds === null ? "" : holds ? "✓" : "✗"} |`);
}
process.exitCode = figures.every(({ holds }) => holds !== false) ? 0 : 1;
