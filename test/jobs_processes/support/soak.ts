/**
 * Many jobs at once, one after the other, while nodes and executors are killed and stopped at random: each gives what `sage run` gives.
 * Then, undisturbed, nodes keep no memory and no open file of the jobs that they run.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { type Cluster, withAbsolutePaths } from "../../../src/client/mod.ts";
import { SageError } from "../../../src/kernel/mod.ts";
import { bundleJob, createEngine } from "../../../src/platform/mod.ts";
import { Seeded } from "../../../src/sim/world/seeded.ts";
import { type GivenParams, isDataflow } from "../../../src/stream/mod.ts";
import { type NodeProcess, pause } from "../../cluster_processes/harness.ts";
import { runAll } from "../../e2e/engines.ts";
import { JobsCluster, jobFile, resultOf, submit } from "./jobs_cluster.ts";
import { contentOf, digestOf } from "./leftovers.ts";

interface SoakOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly nodes: number;
  /** At once. */
  readonly jobs: number;
  readonly say: (line: string) => void;
}

/** One job of `jobs/mix.ts`, and the roots of it that give rows. */
interface Mixed {
  readonly kind: string;
  readonly roots: readonly number[];
  readonly params: GivenParams;
}

const MIX: readonly Mixed[] = [
  { kind: "twoSinks", roots: [], params: {} },
  { kind: "sinkAndRows", roots: [0], params: {} },
  { kind: "state", roots: [0], params: {} },
  { kind: "skew", roots: [0], params: {} },
  { kind: "empty", roots: [0], params: {} },
  { kind: "oneRow", roots: [0], params: {} },
  { kind: "files", roots: [0], params: {} },
  { kind: "stages", roots: [0], params: { rows: 2_000, stages: 20 } },
  { kind: "long", roots: [0], params: { rows: 30_000 } },
];

interface Given {
  readonly rows: readonly string[];
  /** Content of files, in order of their names. */
  readonly files: readonly string[];
}

const FILES = 300;
const FAULT_MS = 4_000;
const DOWN_MS = 1_500;
const HEAL_MS = 120_000;
const REST_MS = 5_000;
const CALM_JOBS = 40;
/** What nodes may hold more of after the same jobs once more. */
const FILES_MORE_MAX = 12;
const MEBIBYTES_MORE_MAX = 64;

/** What was wrong. */
export async function runSoak(options: SoakOptions): Promise<string[]> {
  const soak = await Soak.open(options);
  try {
    await soak.storm();
    await soak.calm();
  } finally {
    await soak.end();
  }
  return soak.wrong;
}

class Soak {
  readonly wrong: string[] = [];
  readonly #options: SoakOptions;
  readonly #cluster: JobsCluster;
  readonly #client: Cluster;
  readonly #output: string;
  readonly #expected = new Map<Mixed, Given>();
  readonly #random: Seeded;
  #count = 0;
  #failed = 0;
  #isStormy = true;

  private constructor(options: SoakOptions, of: { cluster: JobsCluster; client: Cluster; output: string }) {
    this.#options = options;
    this.#cluster = of.cluster;
    this.#client = of.client;
    this.#output = of.output;
    this.#random = new Seeded(options.seed);
  }

  static async open(options: SoakOptions): Promise<Soak> {
    const cluster = await JobsCluster.found({ nodes: options.nodes });
    const output = cluster.newOutput();
    const input = join(output, "in");
    mkdirSync(input);
    for (let file = 0; file < FILES; file++) {
      const lines = Array.from({ length: 20 }, (_, row) => `${file * 20 + row},${(file * 7 + row * 13) % 101}`);
      writeFileSync(join(input, `${String(file).padStart(3, "0")}.csv`), `id,value\n${lines.join("\n")}\n`);
    }
    const soak = new Soak(options, { cluster, client: await cluster.client(output), output });
    for (const each of MIX) soak.#expected.set(each, await soak.#here(each));
    return soak;
  }

  /** Jobs without end, and faults, for as long as was asked for. */
  async storm(): Promise<void> {
    const endMs = Date.now() + this.#options.minutes * 60_000;
    const isOver = () => Date.now() > endMs;
    const workers = Array.from({ length: this.#options.jobs }, () => this.#work(isOver));
    const [faults] = await Promise.all([this.#faults(isOver), ...workers]);
    this.#isStormy = false;
    const text = `${this.#count} jobs were run, ${this.#failed} ended with an error, ${faults} times processes were killed or stopped`;
    this.#options.say(text);
    this.wrong.push(...(await this.#cluster.differences(HEAL_MS)));
  }

  /** The same jobs twice: what nodes hold after each time. */
  async calm(): Promise<void> {
    const before = await this.#calmRound();
    const after = await this.#calmRound();
    for (const [index, { name }] of this.#cluster.nodes.entries()) {
      const [old, now] = [before[index], after[index]];
      if (old === undefined || now === undefined) continue;
      const text = `${name}: ${old.files} → ${now.files} open files, ${old.mebibytes} → ${now.mebibytes} MiB`;
      this.#options.say(text);
      const isMore = now.files > old.files + FILES_MORE_MAX || now.mebibytes > old.mebibytes + MEBIBYTES_MORE_MAX;
      if (isMore) this.wrong.push(`${text} after ${CALM_JOBS} more jobs`);
    }
    rmSync(join(this.#output, "in"), { recursive: true });
    this.wrong.push(...(await this.#cluster.leftovers(this.#output)));
  }

  async end(): Promise<void> {
    this.wrong.push(...(await this.#cluster.end()));
  }

  async #calmRound(): Promise<{ readonly files: number; readonly mebibytes: number }[]> {
    let left = CALM_JOBS;
    await Promise.all(Array.from({ length: 6 }, () => this.#work(() => left-- <= 0)));
    await pause(REST_MS);
    return this.#cluster.nodes.map(({ pid }) => holdings(pid));
  }

  async #work(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const number = ++this.#count;
      const mixed = this.#random.pick(MIX);
      if (mixed === undefined) return;
      try {
        await this.#one(mixed, number);
      } catch (error) {
        const text = `job ${number} (${mixed.kind}): ${error instanceof Error ? error.message : String(error)}`;
        // Rows go with the node that keeps them, and a client may lose patience.
        if (!(error instanceof SageError) || !this.#isStormy) this.wrong.push(text);
        this.#failed++;
        this.#options.say(text);
      }
    }
  }

  async #one(mixed: Mixed, number: number): Promise<void> {
    const name = `mix-${number}`;
    const parallelism = 1 + this.#random.below(7);
    const params = { ...mixed.params, kind: mixed.kind, out: `out/${name}` };
    const job = await submit(this.#client, "mix", { parallelism, params, name });
    try {
      const { rows } = await resultOf(job, mixed.roots);
      const given = { rows, files: await this.#take(name) };
      const expected = this.#expected.get(mixed);
      if (JSON.stringify(given) !== JSON.stringify(expected)) {
        const place = `job ${number} (${mixed.kind}, parallelism ${parallelism})`;
        this.wrong.push(`${place}: ${JSON.stringify(given)}, not ${JSON.stringify(expected)}`);
      }
    } catch (error) {
      const { state } = await job.status().catch(() => ({ state: "unknown" }));
      const left = await this.#take(name);
      if (left.length > 0 && state === "failed") this.wrong.push(`job ${number} failed, and left ${left.length} files`);
      const wanted = this.#expected.get(mixed)?.files ?? [];
      if (state === "finished" && left.join() !== wanted.join())
        this.wrong.push(`job ${number} (${mixed.kind}) finished with ${left.join()}, not ${wanted.join()}`);
      throw error;
    } finally {
      await job.delete().catch(() => undefined);
    }
  }

  /** What a job wrote; then it is gone. */
  async #take(name: string): Promise<string[]> {
    const names = readdirSync(this.#output).filter((each) => each.startsWith(`${name}.`));
    if (names.length === 0) return [];
    const directory = mkdtempSync(join(tmpdir(), "sage-soak-"));
    try {
      for (const each of names) {
        writeFileSync(join(directory, each), readFileSync(join(this.#output, each)));
        rmSync(join(this.#output, each));
      }
      return Object.values(await contentOf(directory));
    } finally {
      rmSync(directory, { recursive: true });
    }
  }

  /** As `sage run` does it. */
  async #here({ kind, params, roots }: Mixed): Promise<Given> {
    const bundle = await bundleJob(resolve(jobFile("mix")));
    try {
      const flow = await bundle.load();
      if (!isDataflow(flow)) throw new Error("mix is no job");
      const { plan, values } = flow.with({ ...params, kind, out: "out/expected" });
      const absolute = withAbsolutePaths(plan, (path) => (isAbsolute(path) ? path : join(this.#output, path.slice(4))));
      await using engine = await createEngine({ bundleUrl: bundle.url, workers: 1, params: JSON.stringify(values) });
      const rows = await runAll(engine, absolute);
      const texts = roots.map((root) => rows[root] ?? []);
      return {
        rows: texts.map((lines) => `${lines.length} rows ${digestOf(lines.join("\n"))}`),
        files: await this.#take("expected"),
      };
    } finally {
      bundle.dispose();
    }
  }

  /** Gives how many. */
  async #faults(isOver: () => boolean): Promise<number> {
    const { nodes } = this.#cluster;
    let count = 0;
    while (!isOver()) {
      await pause(FAULT_MS * (0.5 + this.#random.next()));
      const node = this.#random.pick(nodes);
      if (node === undefined) continue;
      count++;
      const kind = this.#random.next();
      if (kind < 0.35) this.#killExecutor(node);
      else if (kind < 0.55) await this.#stopFor(node, DOWN_MS * (1 + 4 * this.#random.next()));
      else await this.#killNodes(this.#random.chance(0.3) ? [node, this.#random.pick(nodes) ?? node] : [node]);
    }
    return count;
  }

  #killExecutor(node: NodeProcess): void {
    const victim = this.#random.pick(this.#cluster.executorsOf(node));
    if (victim !== undefined) process.kill(victim.pid, "SIGKILL");
  }

  async #stopFor(node: NodeProcess, forMs: number): Promise<void> {
    node.signal("SIGSTOP");
    await pause(forMs);
    node.signal("SIGCONT");
  }

  /** Never a majority. */
  async #killNodes(nodes: readonly NodeProcess[]): Promise<void> {
    const all = this.#cluster.nodes.length;
    const killed = [...new Set(nodes)].slice(0, Math.ceil(all / 2) - 1);
    await Promise.all(killed.map((node) => node.kill()));
    await pause(DOWN_MS);
    await Promise.all(killed.map((node) => node.start().ready(HEAL_MS)));
  }
}

function holdings(pid: number): { readonly files: number; readonly mebibytes: number } {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
  return { files: readdirSync(`/proc/${pid}/fd`).length, mebibytes: Math.round((pages * 4) / 1024) };
}
