/** Figures that need no real nodes: membership of a thousand nodes and the simulator on virtual time; one stream. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { introduced, type Node, type World } from "../test/cluster/membership/world.ts";
import { type Figure, rounded } from "./cluster_figure.ts";

const SEED = 7;
const DETECTED_S_MAX = 15;
/** Messages a node at 1,000 nodes to those at 100. */
const GROWTH_MAX = 1.1;
const CALM_S = 10;

export async function detection(): Promise<Figure[]> {
  const small = messagesPerSecond(introduced(100, { seed: SEED, isMeasured: true }));
  const world = introduced(1_000, { seed: SEED, isMeasured: true });
  const large = messagesPerSecond(world);
  const knownS = crashKnownMs(world, world.nodes[3] as Node) / 1_000;
  return [
    {
      what: "1,000 simulated nodes: a crash is known to all",
      wanted: `≤ ${DETECTED_S_MAX} virtual s`,
      reached: `${rounded(knownS)} s`,
      holds: knownS <= DETECTED_S_MAX,
    },
    {
      what: "messages a node a second, 100 and 1,000 nodes",
      wanted: `× ${GROWTH_MAX} at most`,
      reached: `${rounded(small)}, ${rounded(large)}`,
      holds: large <= small * GROWTH_MAX,
    },
  ];
}

function messagesPerSecond(world: World): number {
  world.run(10_000);
  world.messages = 0;
  world.run(CALM_S * 1_000);
  return world.messages / world.nodes.length / CALM_S;
}

/** Until the last of the others holds it dead; infinite when one does not within 25 s. */
function crashKnownMs(world: World, victim: Node): number {
  const startMs = world.nowMs;
  const marks = world.nodes.map(({ changes }) => changes.length);
  world.crash(victim);
  world.run(25_000);
  const times = world.nodes.map((node) => {
    if (!node.isUp) return 0;
    const seen = node.changes.slice(marks[node.index]);
    const found = seen.find(({ member }) => member.peer === victim.peer && member.health === "dead");
    return found === undefined ? Number.POSITIVE_INFINITY : found.atMs - startMs;
  });
  return Math.max(...times);
}

const STREAM_PERCENT_MIN = 70;
const MEGABYTES = 512;

/** `bench/transport.ts` in a process of its own. */
export async function stream(): Promise<Figure[]> {
  const script = fileURLToPath(new URL("transport.ts", import.meta.url));
  const text = execFileSync(process.execPath, [script, "--megabytes", `${MEGABYTES}`], { encoding: "utf8" });
  const percent = Number(/channel \/ plain\s+(\d+) %/.exec(text)?.[1] ?? Number.NaN);
  return [
    {
      what: "stream between two processes, to node:tls",
      wanted: `≥ ${STREAM_PERCENT_MIN} %`,
      reached: `${percent} %`,
      holds: percent >= STREAM_PERCENT_MIN,
    },
  ];
}

const VIRTUAL_PER_SECOND_MIN = 200;
const SEEDS = 10;

/** `scripts/sim.ts`: five nodes with clients, faults and checks, on one core. */
export async function simulator(): Promise<Figure[]> {
  const script = fileURLToPath(new URL("../scripts/sim.ts", import.meta.url));
  const text = execFileSync(process.execPath, [script, "--seeds", `${SEEDS}`], { encoding: "utf8" });
  const speed = Number(/(\d+) virtual s\/s/.exec(text)?.[1] ?? Number.NaN);
  return [
    {
      what: "simulator: 5 nodes with clients and faults",
      wanted: `≥ ${VIRTUAL_PER_SECOND_MIN} virtual s a second`,
      reached: `${speed}`,
      holds: speed >= VIRTUAL_PER_SECOND_MIN,
    },
  ];
}
