/**
 * `npm run chaos -- --jobs [--seed N] [--nodes 3] [--only TEXT] [--fault TEXT] [--phase TEXT] [--times 1] [--logs DIR]`:
 * jobs on a real cluster, hit at each moment by each fault. Ends with a summary, and with exit code 1 when something was
 * wrong; logs of nodes are kept then. With `--soak MINUTES [--at-once 20]`: many jobs at once, while nodes are killed.
 */
import { parseArgs } from "node:util";
import { CONDITIONS, FAULTS, isCondition } from "../test/jobs_processes/support/faults.ts";
import { type Case, lacksFor, type MatrixJob, outcomeText, runMatrix } from "../test/jobs_processes/support/matrix.ts";
import { PHASES, type Phase } from "../test/jobs_processes/support/phases.ts";

const { values } = parseArgs({
  options: {
    jobs: { type: "boolean", default: true },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    nodes: { type: "string", default: "3" },
    parallelism: { type: "string", default: "4" },
    only: { type: "string", default: "" },
    fault: { type: "string", default: "" },
    phase: { type: "string", default: "" },
    times: { type: "string", default: "1" },
    logs: { type: "string" },
    soak: { type: "string", default: "0" },
    "at-once": { type: "string", default: "20" },
  },
});

const JOBS: readonly MatrixJob[] = [
  { name: "shuffle", roots: [0], params: { rows: 400_000 } },
  { name: "sort", roots: [], params: { rows: 400_000 } },
  { name: "flights", roots: [0] },
  { name: "busiest_routes", roots: [0] },
  { name: "weather", roots: [] },
  { name: "great_circle", roots: [0] },
  { name: "orders", roots: [0] },
];
/** The client that is killed cannot give other paths. */
const WITH_OUT = new Set(["shuffle", "sort"]);
const WITH_SINK = new Set(["shuffle", "sort", "flights", "weather"]);

/** The others are one task. */
const WITH_EXCHANGES = new Set(["shuffle", "sort", "flights", "busiest_routes"]);

function mayBeAt(job: string, phase: Phase): boolean {
  switch (phase) {
    case "before deploy":
    case "in the last second":
    case "at any time":
      return true;
    case "in shuffle":
    case "in sort":
      return WITH_EXCHANGES.has(job);
    case "before the commit":
    case "after the commit":
      return WITH_SINK.has(job);
  }
}

function allCases(): Case[] {
  const hits = FAULTS.flatMap((fault) => PHASES.flatMap((phase) => JOBS.map((job) => ({ job, fault, phase }))));
  const conditions = CONDITIONS.flatMap((fault) =>
    JOBS.map((job) => ({ job, fault, phase: "before deploy" as const })),
  );
  return [...hits, ...conditions].filter(({ job, fault, phase }) => {
    const isMeant = job.name.includes(values.only) && fault.includes(values.fault) && phase.includes(values.phase);
    const hasFile = WITH_OUT.has(job.name);
    const isPossible = hasFile || (fault !== "kill client" && fault !== "full sink disk");
    return isMeant && isPossible && mayBeAt(job.name, phase);
  });
}

const seed = Number(values.seed);
if (Number(values.soak) > 0) {
  const { runSoak } = await import("../test/jobs_processes/support/soak.ts");
  console.log(`seed ${seed}`);
  const say = (line: string) => console.log(line);
  const [minutes, nodes, jobs] = [Number(values.soak), Number(values.nodes), Number(values["at-once"])];
  const found = await runSoak({ seed, minutes, nodes, jobs, say });
  for (const text of found) console.log(`WRONG  ${text}`);
  console.log(found.length === 0 ? "nothing was wrong" : `${found.length} things were wrong (seed ${seed})`);
  process.exit(found.length === 0 ? 0 : 1);
}
const lacking = new Map<string, string>();
const cases = Array.from({ length: Number(values.times) }, allCases)
  .flat()
  .filter(({ fault }) => {
    const lacks = lacksFor(fault);
    if (lacks !== null) lacking.set(fault, lacks);
    return lacks === null;
  });
for (const [fault, lacks] of lacking) console.log(`left out: ${fault}: ${lacks}`);
console.log(`seed ${seed}: ${cases.length} cases on ${values.nodes} nodes`);
const outcomes = await runMatrix({
  seed,
  nodes: Number(values.nodes),
  parallelism: Number(values.parallelism),
  cases,
  ...(values.logs === undefined ? {} : { logs: values.logs }),
  say: (line) => console.log(line),
});
const wrong = outcomes.filter((outcome) => outcome.wrong.length > 0);
const equal = outcomes.filter(({ ending, wrong: found }) => ending === "as undisturbed" && found.length === 0).length;
const late = outcomes.filter(({ hit, case: { fault } }) => hit === null && !isCondition(fault)).length;
const failed = outcomes.length - equal - wrong.length;
console.log(`\n${outcomes.length} cases: ${equal} gave the undisturbed result, ${failed} failed with a reason`);
console.log(`${late} had ended before they were hit`);
console.log("\nhit at the moment, of all cases:");
for (const fault of FAULTS.filter((each) => outcomes.some((outcome) => outcome.case.fault === each))) {
  const counts = PHASES.map((phase) => {
    const those = outcomes.filter(({ case: of }) => of.fault === fault && of.phase === phase);
    return `${phase} ${those.filter(({ hit }) => hit !== null).length}/${those.length}`;
  });
  console.log(`${fault.padEnd(18)}${counts.join("  ")}`);
}
for (const outcome of wrong) console.log(outcomeText(outcome));
console.log(wrong.length === 0 ? "nothing was wrong" : `${wrong.length} cases were wrong (seed ${seed})`);
process.exit(wrong.length === 0 ? 0 : 1);
