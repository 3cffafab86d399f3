/**
 * A cluster of real processes under random `kill -9`, SIGSTOP, SIGCONT and restarts, with clients all the while. In the
 * end nothing that was acknowledged is lost, histories are linearizable, and all nodes' states are equal.
 */
import { nodeDigest } from "../../src/protocol/mod.ts";
import { Seeded } from "../../src/sim/world/seeded.ts";
import { type NodeProcess, ProcessCluster, pause, type RuntimeName } from "./harness.ts";
import { Workload } from "./workload.ts";

export interface ChaosOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly seconds: number;
  readonly clients?: number;
  readonly runtime?: RuntimeName;
  /** Mean time from one fault to the next. */
  readonly everyMs?: number;
  readonly say?: (line: string) => void;
}

export interface ChaosResult {
  readonly violations: readonly string[];
  readonly faults: Readonly<Record<string, number>>;
  readonly asked: number;
  readonly answered: number;
  readonly unanswered: number;
  readonly longestGapMs: number;
  readonly kept: number;
  readonly history: number;
  readonly terms: number;
  readonly digests: readonly string[];
}

const SETTLE_MS = 60_000;

export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, nodes, runtime = "bun" } = options;
  const cluster = new ProcessCluster({ runtime });
  try {
    await cluster.found(nodes);
    return await new Chaos(cluster, options, new Seeded(seed)).run();
  } finally {
    await cluster.end();
  }
}

class Chaos {
  readonly #cluster: ProcessCluster;
  readonly #options: ChaosOptions;
  readonly #random: Seeded;
  readonly #faults: Record<string, number> = {};
  readonly #violations: string[] = [];

  constructor(cluster: ProcessCluster, options: ChaosOptions, random: Seeded) {
    this.#cluster = cluster;
    this.#options = options;
    this.#random = random;
  }

  async run(): Promise<ChaosResult> {
    const { clients: clientCount = 4, seed, seconds } = this.#options;
    const { nodes } = this.#cluster;
    const clients = await Promise.all(
      Array.from({ length: clientCount }, () => this.#cluster.client(this.#shuffled())),
    );
    const workload = new Workload({ seed, clients, keys: 6, thinkMs: 10 });
    const endMs = performance.now() + seconds * 1000;
    while (performance.now() < endMs) {
      await pause(this.#random.exponential(this.#options.everyMs ?? 1_000));
      await this.#fault();
      for (const node of nodes) this.#watch(node);
    }
    await this.#heal();
    await workload.stop();
    const client = await this.#cluster.client();
    await workload.check(client);
    const digests = await this.#digests();
    const { term } = await this.#cluster.status();
    return {
      ...workload.stats,
      violations: [...this.#violations, ...workload.violations],
      faults: this.#faults,
      kept: workload.keptCount,
      history: workload.historySize,
      terms: term,
      digests: [...new Set(digests)],
    };
  }

  #shuffled(): NodeProcess[] {
    return [...this.#cluster.nodes]
      .map((node) => [this.#random.next(), node] as const)
      .sort(([a], [b]) => a - b)
      .map(([, node]) => node);
  }

  /** Up to a minority is out at a time, now and then more: then nothing is committed, and nothing may be lost either. */
  async #fault(): Promise<void> {
    const { nodes } = this.#cluster;
    const out = nodes.filter((node) => !node.isRunning || node.isStopped);
    const up = nodes.filter((node) => node.isRunning && !node.isStopped);
    const outMax = this.#random.chance(0.1) ? nodes.length : Math.floor((nodes.length - 1) / 2);
    if (out.length > 0 && (out.length >= outMax || this.#random.chance(0.5))) return this.#back(this.#random.pick(out));
    const target = this.#random.chance(0.4) ? await this.#leaderOr(up) : this.#random.pick(up);
    if (target === undefined) return;
    const dice = this.#random.next();
    if (dice < 0.55) {
      this.#count("kill -9", target);
      await target.kill();
    } else if (dice < 0.85) {
      this.#count("SIGSTOP", target);
      target.signal("SIGSTOP");
    } else {
      this.#count("SIGTERM", target);
      target.signal("SIGTERM");
      await Promise.race([target.ended(), pause(10_000)]);
      if (target.isRunning) {
        this.#violations.push(`${target.name} did not end within 10 s of SIGTERM:\n${target.tail}`);
        await target.kill();
      }
    }
  }

  async #leaderOr(up: readonly NodeProcess[]): Promise<NodeProcess | undefined> {
    try {
      return await this.#cluster.leader(1_000);
    } catch {
      return this.#random.pick(up);
    }
  }

  #back(node: NodeProcess | undefined): void {
    if (node === undefined) return;
    if (node.isStopped) {
      this.#count("SIGCONT", node);
      node.signal("SIGCONT");
    } else if (!node.isRunning) {
      this.#count("restart", node);
      node.start();
    }
  }

  #count(what: string, node: NodeProcess): void {
    this.#faults[what] = (this.#faults[what] ?? 0) + 1;
    this.#options.say?.(`${what} ${node.name}`);
  }

  /** Nodes end only when they are told to. */
  #watch(node: NodeProcess): void {
    const bad = node.log.find(({ level, event }) => level === "error" || event === "node ends");
    if (bad !== undefined) this.#violations.push(`${node.name} says: ${JSON.stringify(bad)}`);
  }

  async #heal(): Promise<void> {
    for (const node of this.#cluster.nodes) this.#back(node.isRunning && !node.isStopped ? undefined : node);
    await Promise.all(this.#cluster.nodes.map((node) => node.ready(SETTLE_MS)));
    await this.#cluster.status(
      ({ members, leader }) => leader !== null && members.every(({ health }) => health === "alive"),
      SETTLE_MS,
    );
  }

  /** What the nodes' states are once nothing is under way. */
  async #digests(): Promise<string[]> {
    const endMs = performance.now() + SETTLE_MS;
    const { nodes } = this.#cluster;
    const clients = await Promise.all(nodes.map((node) => this.#cluster.client([node])));
    for (;;) {
      const answers = await Promise.all(clients.map((client) => client.call(nodeDigest, {}, { timeoutMs: 20_000 })));
      const isLevel = answers.every(({ appliedIndex }) => appliedIndex === answers[0]?.appliedIndex);
      if (isLevel) {
        const digests = answers.map(({ digest }) => digest);
        if (new Set(digests).size > 1) this.#violations.push(`states differ: ${digests.join(" ")}`);
        return digests;
      }
      if (performance.now() > endMs) {
        this.#violations.push(
          `nodes do not become level: ${answers.map(({ appliedIndex }) => appliedIndex).join(" ")}`,
        );
        return [];
      }
      await pause(100);
    }
  }
}
