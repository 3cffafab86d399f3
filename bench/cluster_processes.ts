/** Real nodes for the cluster's figures: the executable, each with a directory of its own, and clients of them. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClusterClient } from "../src/client/mod.ts";
import { type Credentials, decodeCredentials } from "../src/cluster/mod.ts";
import type { Address, PeerId } from "../src/kernel/mod.ts";
import { createKeys, openClient } from "../src/platform/mod.ts";
import { clusterStatus } from "../src/protocol/mod.ts";

/** `SAGE_EXECUTABLE` names another one, to compare two in turn. */
export const EXECUTABLE = process.env["SAGE_EXECUTABLE"] ?? fileURLToPath(new URL("../dist/sage", import.meta.url));
const READY_MS_MAX = 20_000;
const EXIT_MS_MAX = 10_000;

export interface NodeProcess {
  readonly name: string;
  readonly pid: number;
  /** From the start of the process to the line that says how to join. */
  readonly readyMs: number;
  readonly peer: PeerId;
  readonly address: Address;
  /** As arguments of `sage node`. */
  readonly joinArguments: readonly string[];
  readonly kill: (signal: "SIGKILL" | "SIGTERM") => Promise<void>;
}

export interface StartOptions {
  /** The core that it and its executors may use; Linux only. */
  readonly core?: number;
}

/** Nodes of one cluster under a temporary directory; all are killed and deleted at its end. */
export class Processes {
  readonly #directory = mkdtempSync(join(tmpdir(), "sage-cluster-"));
  readonly #program: readonly string[];
  readonly #children = new Set<ChildProcess>();
  readonly #clients = new Set<ClusterClient>();

  /** `program`: how `sage` is started. */
  constructor(program: readonly string[] = [EXECUTABLE]) {
    this.#program = program;
  }

  get directory(): string {
    return this.#directory;
  }

  get credentialsPath(): string {
    return this.#path("credentials.json");
  }

  /** For commands that use this cluster. */
  get environment(): NodeJS.ProcessEnv {
    return { ...process.env, XDG_CONFIG_HOME: this.#path("config"), SAGE_CREDENTIALS: this.credentialsPath };
  }

  /** Starts a node, or starts it again under the same name. */
  async start(name: string, arguments_: readonly string[] = [], { core }: StartOptions = {}): Promise<NodeProcess> {
    const startMs = performance.now();
    const command = [...this.#program, "node", "--data-dir", this.#path(name), "--name", name, ...arguments_];
    const [program = "", ...rest] = core === undefined ? command : ["taskset", "-c", String(core), ...command];
    const child = spawn(program, rest, {
      stdio: ["ignore", "pipe", openSync(this.#path(`${name}.log`), "a")],
      env: this.environment,
    });
    this.#children.add(child);
    const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    void exited.then(() => this.#children.delete(child));
    const line = await this.#joinLine(name, child);
    const readyMs = performance.now() - startMs;
    const words = line.trim().split(" ").slice(2);
    const address = words[1] as Address;
    return {
      name,
      pid: child.pid ?? 0,
      readyMs,
      peer: address.slice(address.lastIndexOf("/") + 1) as PeerId,
      address,
      joinArguments: words,
      kill: (signal) => stopped(child, signal, exited),
    };
  }

  #joinLine(name: string, child: ChildProcess): Promise<string> {
    return new Promise((resolve, reject) => {
      let text = "";
      let isReady = false;
      const fail = (why: string): void => {
        if (isReady) return;
        clearTimeout(timer);
        reject(new Error(`Node ${name} ${why}:\n${readFileSync(this.#path(`${name}.log`), "utf8").slice(-2_000)}`));
      };
      const timer = setTimeout(() => fail("was not ready in time"), READY_MS_MAX);
      child.once("exit", () => fail("ended early"));
      child.stdout?.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        const line = text
          .split("\n")
          .find((each, at, all) => each.startsWith("sage node --join") && at < all.length - 1);
        if (line === undefined) return;
        clearTimeout(timer);
        isReady = true;
        resolve(line);
      });
    });
  }

  /** Nodes by name `n1`, `n2`, …: the first founds the cluster, the others join it. Returns when all are seen alive by all. */
  async cluster(count: number, arguments_: readonly string[] = []): Promise<NodeProcess[]> {
    const nodes = [await this.start("n1", arguments_)];
    for (let number = 2; number <= count; number++) {
      nodes.push(await this.start(`n${number}`, [...(nodes[0]?.joinArguments ?? []), ...arguments_]));
    }
    await this.settle(nodes);
    return nodes;
  }

  /** Waits until every node sees every other alive, and as many vote as will. */
  async settle(nodes: readonly NodeProcess[]): Promise<void> {
    const voters = Math.min(5, nodes.length - (nodes.length % 2 === 0 ? 1 : 0));
    for (const node of nodes) {
      const client = await this.client([node.address]);
      await until(async () => {
        const { leader, members } = await client.call(clusterStatus, {});
        const alive = members.filter(({ health }) => health === "alive").length;
        const voting = members.filter(({ isVoter }) => isVoter).length;
        const isSettled = leader !== null && alive === nodes.length && voting >= voters;
        return isSettled || `${node.name} sees ${members.map((m) => `${m.name} ${m.health} ${m.raftRole}`).join(", ")}`;
      });
      await this.close(client);
    }
  }

  /** A client of the administrator's that asks these nodes in this order. */
  async client(addresses: readonly Address[]): Promise<ClusterClient> {
    const credentials = await this.credentials();
    const client = await openClient({ credentials, addresses, software: "sage bench" });
    this.#clients.add(client);
    return client;
  }

  async close(client: ClusterClient): Promise<void> {
    this.#clients.delete(client);
    await client.close();
  }

  async credentials(): Promise<Credentials> {
    return decodeCredentials(await createKeys(), readFileSync(this.credentialsPath, "utf8"));
  }

  /** With `isKept` the directory stays, for the nodes' logs. */
  async end(isKept = false): Promise<void> {
    for (const client of this.#clients) await client.close();
    for (const child of this.#children) child.kill("SIGKILL");
    if (isKept) console.error(`The nodes' logs are in ${this.#directory}.`);
    else rmSync(this.#directory, { recursive: true, force: true });
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

/** Runs with nodes of its own, which end with it; their logs stay when it fails. */
export async function withProcesses<T>(run: (processes: Processes) => Promise<T>): Promise<T> {
  const processes = new Processes();
  let isDone = false;
  try {
    const result = await run(processes);
    isDone = true;
    return result;
  } finally {
    await processes.end(!isDone);
  }
}

async function stopped(child: ChildProcess, signal: "SIGKILL" | "SIGTERM", exited: Promise<void>): Promise<void> {
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), EXIT_MS_MAX);
  await exited;
  clearTimeout(timer);
}

const UNTIL_MS_MAX = 30_000;

/** Waits until `holds` is true; what it gives instead, or throws, is in the error when that takes too long. */
export async function until(holds: () => Promise<boolean | string>, pauseMs = 20): Promise<void> {
  const endMs = performance.now() + UNTIL_MS_MAX;
  while (true) {
    const found = await holds().catch((error: unknown) => String(error));
    if (found === true) return;
    if (performance.now() > endMs) {
      throw new Error(`The cluster did not settle within ${UNTIL_MS_MAX / 1_000} s: ${found}`);
    }
    await Bun.sleep(pauseMs);
  }
}

/** Seconds of processor time that a process has used, and the bytes it holds; Linux only. */
export function usage(pid: number): { readonly cpuSeconds: number; readonly rssBytes: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  const rss = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "NaN";
  return { cpuSeconds: ticks / 100, rssBytes: Number(rss) * 1_024 };
}

/** Seconds of processor time of a process and of all that it has started, also of what has ended; Linux only. */
export function treeCpuSeconds(pid: number): number {
  const parents = new Map<number, { readonly parent: number; readonly ticks: number }>();
  for (const name of readdirSync("/proc")) {
    const each = Number(name);
    const found = Number.isInteger(each) ? ticksOf(each) : null;
    if (found !== null) parents.set(each, found);
  }
  const isBelow = (each: number | undefined): boolean =>
    each === pid || (each !== undefined && each > 1 && isBelow(parents.get(each)?.parent));
  return [...parents].reduce((sum, [each, { ticks }]) => sum + (isBelow(each) ? ticks : 0), 0) / 100;
}

/** With that of children that have ended. */
function ticksOf(pid: number): { readonly parent: number; readonly ticks: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = [11, 12, 13, 14].reduce((sum, at) => sum + Number(fields[at]), 0);
    return { parent: Number(fields[1]), ticks };
  } catch {
    return null; // it has ended meanwhile
  }
}

/** The one that all agree on, waited for. */
export async function leaderOf(processes: Processes, nodes: readonly NodeProcess[]): Promise<NodeProcess> {
  const client = await processes.client(nodes.map(({ address }) => address));
  let leader: PeerId | null = null;
  await until(async () => {
    ({ leader } = await client.call(clusterStatus, {}));
    return nodes.some(({ peer }) => peer === leader);
  });
  await processes.close(client);
  const found = nodes.find(({ peer }) => peer === leader);
  if (found === undefined) throw new Error("There is no leader.");
  return found;
}
