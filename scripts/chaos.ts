/**
 * `npm run chaos -- [--minutes 10] [--nodes 5] [--clients 4] [--runtime bun|executable|deno|node24] [--seed N]`: a real cluster
 * under random kills, stops and restarts. Ends with a summary, and with exit code 1 when something was wrong. With `--jobs`:
 * jobs under faults, see `chaos_jobs.ts`.
 */
import { parseArgs } from "node:util";
import { runChaos } from "../test/cluster_processes/chaos.ts";
import { commandOf, type RuntimeName } from "../test/cluster_processes/harness.ts";

// Ends the process itself.
if (process.argv.includes("--jobs")) await import("./chaos_jobs.ts");

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    nodes: { type: "string", default: "5" },
    clients: { type: "string", default: "4" },
    runtime: { type: "string", default: "bun" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    quiet: { type: "boolean", default: false },
  },
});

const RUNTIMES: readonly RuntimeName[] = ["bun", "executable", "deno", "node24"];

function runtimeOf(text: string): RuntimeName {
  const runtime = RUNTIMES.find((name) => name === text);
  if (runtime === undefined) throw new Error(`--runtime ${text} is not one of ${RUNTIMES.join(", ")}.`);
  if (commandOf(runtime) === null) {
    const advice =
      runtime === "executable" ? "Build it with: npm run build" : "Name it with: SAGE_NODE24=/path/to/node";
    throw new Error(`There is no ${runtime} here. ${advice}`);
  }
  return runtime;
}

function numberOf(name: "minutes" | "nodes" | "clients" | "seed"): number {
  const number = Number(values[name]);
  if (!(number > 0)) throw new Error(`--${name} ${values[name]} must be a number above 0.`);
  return number;
}

const startMs = performance.now();
const seconds = () => ((performance.now() - startMs) / 1000).toFixed(1).padStart(7);
const seed = numberOf("seed");
console.log(`seed ${seed}: ${values.nodes} nodes for ${values.minutes} minutes`);
const result = await runChaos({
  seed,
  nodes: numberOf("nodes"),
  seconds: numberOf("minutes") * 60,
  clients: numberOf("clients"),
  runtime: runtimeOf(values.runtime),
  ...(values.quiet ? {} : { say: (line: string) => console.log(`${seconds()} s  ${line}`) }),
});

const { violations, faults, ...figures } = result;
console.log(
  `\nfaults     ${Object.entries(faults)
    .map(([what, count]) => `${count} × ${what}`)
    .join(", ")}`,
);
console.log(`requests   ${figures.asked} asked, ${figures.answered} answered, ${figures.unanswered} without an answer`);
console.log(`longest    ${figures.longestGapMs} ms without any answer`);
console.log(
  `checked    ${figures.history} operations for linearizability, ${figures.kept} acknowledged settings for loss`,
);
console.log(`terms      ${figures.terms}`);
console.log(`state      ${figures.digests.join(" ")}`);
for (const violation of violations) console.log(`WRONG      ${violation}`);
console.log(violations.length === 0 ? "nothing was wrong" : `${violations.length} things were wrong (seed ${seed})`);
process.exit(violations.length === 0 ? 0 : 1);
