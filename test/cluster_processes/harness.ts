/**
 * Real nodes: processes of their own, in directories of their own, on addresses of their own. Whatever a test does, `end`
 * leaves no process and no file behind.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type * as v from "valibot";
import type { ClusterClient } from "../../src/client/mod.ts";
import { decodeCredentials } from "../../src/cluster/mod.ts";
import type { Address, PeerId } from "../../src/kernel/mod.ts";
import { createKeys, openClient } from "../../src/platform/mod.ts";
import { clusterStatus } from "../../src/protocol/mod.ts";

export type RuntimeName = "bun" | "executable" | "deno" | "node24";

const root = fileURLToPath(new URL("../../", import.meta.url));
const bin = join(root, "node_modules/.bin");
const cli = join(root, "cli.ts");

/** Starts of the command line; null where the runtime is not there. */
export function commandOf(runtime: RuntimeName): readonly string[] | null {
  switch (runtime) {
    case "bun":
      return [join(bin, "bun"), cli];
    case "executable": {
      const path = process.env["SAGE_EXECUTABLE"] ?? join(root, "dist/sage");
      return existsSync(path) ? [path] : null;
    }
    case "deno":
      return [join(bin, "deno"), "run", "-A", "--no-check", cli];
    case "node24": {
      const path = process.env["SAGE_NODE24"] ?? "";
      return existsSync(path) ? [path, "--no-warnings", cli] : null;
    }
  }
}

/** Has the system kill a node when the tests' own process is killed, where it can. */
const ESCORT = existsSync("/usr/bin/setpriv") ? ["/usr/bin/setpriv", "--pdeathsig", "KILL"] : [];

/** What still runs when this process exits, by itself or by an error. */
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly tookMs: number;
}

export interface LogLine {
  readonly event: string;
  readonly level: string;
  readonly [field: string]: unknown;
}

export interface NodeSettings {
  readonly name: string;
  readonly runtime?: RuntimeName;
  /** Default: an own address; null: what `sage node` takes by itself. */
  readonly listen?: string | null;
  readonly env?: Readonly<Record<string, string>>;
  /** What the command is started with, such as `ip netns exec NAME`. */
  readonly prefix?: readonly string[];
}

const READY_MS = 30_000;
const TAIL_LINES = 30;

/** One data directory and, now and then, a process on it. */
export class NodeProcess {
  readonly name: string;
  readonly dataDir: string;
  readonly runtime: RuntimeName;
  readonly #settings: NodeSettings;
  readonly #env: Readonly<Record<string, string>>;
  #child: ChildProcess | null = null;
  #exited: Promise<Ended> | null = null;
  #stdout = "";
  #stderr = "";
  #earlier = "";
  #wakers: (() => void)[] = [];
  isStopped = false;

  constructor(settings: NodeSettings, directory: string, env: Readonly<Record<string, string>>) {
    this.name = settings.name;
    this.runtime = settings.runtime ?? "bun";
    this.dataDir = join(directory, settings.name);
    this.#settings = settings;
    this.#env = env;
  }

  /** Where it was told to listen. */
  get listen(): { readonly host: string; readonly port: number } {
    const [host = "", port = ""] = (this.#settings.listen ?? "").split(":");
    return { host, port: Number(port) };
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Since the last start. */
  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Since its first start. */
  get story(): string {
    return this.#earlier + this.#stderr;
  }

  get log(): LogLine[] {
    return this.#stderr.split("\n").flatMap((line): LogLine[] => (line.startsWith("{") ? [parseLine(line)] : []));
  }

  /** The options that another node joins with, as this one printed them. */
  get invitation(): readonly string[] {
    const line = this.#stdout.split("\n").find((text) => text.startsWith("sage node --join "));
    if (line === undefined) throw new Error(`${this.name} has printed no invitation:\n${this.tail}`);
    return line.split(" ").slice(2);
  }

  get address(): Address {
    return (this.invitation[1] ?? "") as Address;
  }

  get peer(): PeerId {
    return (this.address.split("/p2p/")[1] ?? "") as PeerId;
  }

  get tail(): string {
    return this.#stderr.split("\n").slice(-TAIL_LINES).join("\n");
  }

  /** Starts the process; `args` come after those of the node's own. */
  start(...args: readonly string[]): this {
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    const { listen, prefix = [], env = {} } = this.#settings;
    const command = commandOf(this.runtime);
    if (command === null) throw new Error(`there is no ${this.runtime} here`);
    const own = ["--name", this.name, "--data-dir", this.dataDir, "--log-format", "json"];
    const where = listen === null || listen === undefined ? [] : ["--listen", listen];
    const [program = "", ...rest] = [...ESCORT, ...prefix, ...command, "node", ...own, ...where, ...args];
    this.#stdout = "";
    this.#earlier += this.#stderr;
    this.#stderr = "";
    const child = spawn(program, rest, { cwd: root, env: { ...this.#env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
    running.add(child);
    this.#child = child;
    this.#exited = this.#watch(child);
    return this;
  }

  /** Waits until it is a member and has said how others join. */
  async ready(timeoutMs = READY_MS): Promise<this> {
    await this.until(() => /^sage node --join .*\n/m.test(this.#stdout), timeoutMs, "ready");
    return this;
  }

  /** Waits until `isSo`, which is looked at whenever the process says something. */
  async until(isSo: () => boolean, timeoutMs: number, what: string): Promise<void> {
    const end = Date.now() + timeoutMs;
    while (!isSo()) {
      if (!this.isRunning) throw new Error(`${this.name} ended before it was ${what}:\n${this.tail}`);
      const leftMs = end - Date.now();
      if (leftMs <= 0) throw new Error(`${this.name} was not ${what} within ${timeoutMs} ms:\n${this.tail}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#wakers.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** `kill -9`, SIGSTOP and the like. */
  signal(signal: NodeJS.Signals): void {
    if (signal === "SIGSTOP") this.isStopped = true;
    if (signal === "SIGCONT") this.isStopped = false;
    this.#child?.kill(signal);
  }

  /** How the process ends, once it has. */
  ended(): Promise<Ended> {
    if (this.#exited === null) throw new Error(`${this.name} was never started`);
    return this.#exited;
  }

  async kill(): Promise<Ended | null> {
    if (this.#exited === null) return null;
    this.signal("SIGKILL");
    return this.#exited;
  }

  async stop(): Promise<Ended> {
    this.signal("SIGTERM");
    return this.ended();
  }

  #watch(child: ChildProcess): Promise<Ended> {
    const startMs = Date.now();
    const wake = () => {
      for (const waker of this.#wakers.splice(0)) waker();
    };
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
      wake();
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      wake();
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => {
        running.delete(child);
        this.#child = null;
        this.isStopped = false;
        wake();
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr, tookMs: Date.now() - startMs });
      });
    });
  }
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { event: line, level: "broken" };
  }
}

/** Loopback addresses that no other test has: the system picks nothing, so a node keeps its own when it is restarted. */
function ownHosts(): (index: number) => string {
  const bits = Math.floor(Math.random() * 65_536);
  return (index) => `127.${1 + (bits >> 9)}.${1 + (bits & 0x7f)}.${index + 1}`;
}

export interface ClusterSettings {
  readonly runtime?: RuntimeName;
  readonly env?: Readonly<Record<string, string>>;
}

export class ProcessCluster {
  readonly directory = mkdtempSync(join(tmpdir(), "sage-cluster-"));
  readonly nodes: NodeProcess[] = [];
  readonly #settings: ClusterSettings;
  readonly #clients = new Set<ClusterClient>();
  readonly #host = ownHosts();

  constructor(settings: ClusterSettings = {}) {
    this.#settings = settings;
    mkdirSync(join(this.directory, "home"));
    mkdirSync(this.temporaryDirectory);
  }

  /** For what its processes mean to take away again. */
  get temporaryDirectory(): string {
    return join(this.directory, "tmp");
  }

  get env(): Readonly<Record<string, string>> {
    const kept = Object.entries(process.env).filter(([name]) => !/^(SAGE_|XDG_|NODE_OPTIONS|VITEST)/.test(name));
    const own = {
      HOME: join(this.directory, "home"),
      XDG_CONFIG_HOME: join(this.directory, "config"),
      XDG_DATA_HOME: join(this.directory, "data"),
      DENO_DIR: process.env["DENO_DIR"] ?? join(process.env["HOME"] ?? "/", ".cache/deno"),
      TMPDIR: this.temporaryDirectory,
      NO_COLOR: "1",
      COLUMNS: "",
      USER: "operator",
    };
    return { ...(Object.fromEntries(kept) as Record<string, string>), ...own, ...this.#settings.env };
  }

  /** A node that is not started yet; by default it always listens on the same address. */
  node(settings: NodeSettings): NodeProcess {
    const listen = settings.listen === undefined ? `${this.#host(this.nodes.length)}:7400` : settings.listen;
    const runtime = settings.runtime ?? this.#settings.runtime ?? "bun";
    const node = new NodeProcess({ ...settings, runtime, listen }, this.directory, this.env);
    this.nodes.push(node);
    return node;
  }

  /** `count` nodes that are members and voters, as far as there can be so many. */
  async found(count: number): Promise<readonly NodeProcess[]> {
    const first = this.node({ name: "n1" });
    await first.start().ready();
    const others = Array.from({ length: count - 1 }, (_, index) => this.node({ name: `n${index + 2}` }));
    for (const node of others) node.start(...first.invitation);
    await Promise.all(others.map((node) => node.ready()));
    await this.voters(count > 2 ? Math.min(5, count - 1 + (count % 2)) : count);
    return this.nodes;
  }

  async voters(count: number, timeoutMs = READY_MS): Promise<Status> {
    return this.status((status) => status.members.filter(({ isVoter }) => isVoter).length === count, timeoutMs);
  }

  /** Asks until the answer is what is waited for. */
  async status(isSo: (status: Status) => boolean = () => true, timeoutMs = READY_MS): Promise<Status> {
    const end = Date.now() + timeoutMs;
    const client = await this.client();
    let last = "no answer";
    try {
      while (Date.now() < end) {
        try {
          const status = await client.call(clusterStatus, {}, { timeoutMs: Math.max(1, end - Date.now()) });
          if (isSo(status)) return status;
          last = JSON.stringify(status.members.map((row) => [row.name, row.health, row.raftRole, row.isVoter]));
        } catch (error) {
          last = String(error);
        }
        await pause(50);
      }
    } finally {
      await client.close();
    }
    throw new Error(`the cluster was not as expected within ${timeoutMs} ms: ${last}`);
  }

  /** The running node that leads. */
  async leader(timeoutMs = READY_MS): Promise<NodeProcess> {
    let found: NodeProcess | undefined;
    await this.status(({ leader }) => {
      found = this.nodes.find((node) => node.isRunning && node.peer === leader);
      return found !== undefined;
    }, timeoutMs);
    if (found === undefined) throw new Error("unreachable");
    return found;
  }

  /** A client with the first node's own credentials; it asks `nodes` in this order, by default all that run. */
  async client(nodes: readonly NodeProcess[] = this.nodes.filter((node) => node.isRunning)): Promise<ClusterClient> {
    const founder = this.nodes[0];
    if (founder === undefined) throw new Error("there is no node");
    const credentials = decodeCredentials(
      await createKeys(),
      readFileSync(join(founder.dataDir, "admin.json"), "utf8"),
    );
    const addresses = nodes.filter((node) => node.stdout.includes("sage node --join")).map((node) => node.address);
    const client = await openClient({ credentials, addresses, software: "sage test" });
    this.#clients.add(client);
    return client;
  }

  /** Another `sage` command, as the same user. */
  sage(args: readonly string[], { timeoutMs = 60_000, runtime = "bun" as RuntimeName } = {}): Promise<Ended> {
    const [program = "", ...rest] = [...ESCORT, ...(commandOf(runtime) ?? []), ...args];
    const startMs = Date.now();
    const child = spawn(program, rest, { cwd: root, env: this.env, stdio: ["ignore", "pipe", "pipe"] });
    running.add(child);
    const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => {
        clearTimeout(timer);
        running.delete(child);
        resolve({ code, signal, stdout, stderr, tookMs: Date.now() - startMs });
      });
    });
  }

  async end(): Promise<void> {
    await Promise.all([...this.#clients].map((client) => client.close().catch(() => undefined)));
    await Promise.all(this.nodes.map((node) => node.kill()));
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }
}

export type Status = v.InferOutput<typeof clusterStatus.reply>;

export function pause(forMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, forMs));
}
