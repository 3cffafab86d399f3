/** A cluster of real `sage node` processes on loopback, whose log lines can be looked at. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClusterClient } from "../../src/client/mod.ts";
import { type Credentials, decodeCredentials, parseToken, type Token } from "../../src/cluster/mod.ts";
import type { Address, PeerId } from "../../src/kernel/mod.ts";
import { createKeys } from "../../src/platform/keys.ts";
import { openClient } from "../../src/platform/mod.ts";
import { clusterStatus, settingSet } from "../../src/protocol/mod.ts";

export const keys = createKeys();
const ROOT = join(import.meta.dirname, "..", "..");
export const BUN = join(ROOT, "node_modules", ".bin", "bun");

export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly peer?: string;
  readonly remote?: string;
  readonly reason?: string;
  readonly code?: string;
  readonly [field: string]: unknown;
}

export interface NodeProcess {
  readonly name: string;
  readonly dataDir: string;
  readonly pid: number;
  readonly out: () => string;
  readonly err: () => string;
  /** Lines of its log so far; what is no JSON is left out. */
  readonly lines: () => LogLine[];
  readonly isRunning: () => boolean;
  readonly address: () => Address;
  readonly peer: () => PeerId;
}

export interface TestCluster {
  readonly dir: string;
  readonly nodes: readonly NodeProcess[];
  readonly admin: Credentials;
  /** Of the line that the first node prints. */
  readonly joinToken: string;
  readonly token: Token;
  readonly client: ClusterClient;
  readonly addNode: (name: string, options?: AddOptions) => NodeProcess;
  readonly stop: () => Promise<void>;
}

export interface AddOptions {
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export async function until<T>(look: () => T, timeoutMs = 15_000): Promise<NonNullable<Exclude<T, false>>> {
  const endMs = performance.now() + timeoutMs;
  while (true) {
    const found = look();
    if (found !== false && found !== null && found !== undefined) return found as NonNullable<Exclude<T, false>>;
    if (performance.now() > endMs) throw new Error(`not so within ${timeoutMs} ms: ${look}`);
    await sleep(10);
  }
}

function startNode(dir: string, name: string, options: AddOptions = {}): NodeProcess & { child: ChildProcess } {
  const dataDir = join(dir, name);
  const fixed = ["--data-dir", dataDir, "--name", name, "--log-format", "json", "--log-level", "info"];
  const child = spawn(BUN, [join(ROOT, "cli.ts"), "node", ...fixed, ...(options.arguments ?? [])], {
    env: {
      ...process.env,
      XDG_CONFIG_HOME: join(dir, "config"),
      USER: "tester",
      NO_COLOR: "1",
      ...options.environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const ownAddress = () => /--join (\S+)/.exec(out)?.[1] as Address | undefined;
  return {
    child,
    name,
    dataDir,
    pid: child.pid ?? 0,
    out: () => out,
    err: () => err,
    lines: () => linesOf(err),
    isRunning: () => child.exitCode === null && child.signalCode === null,
    address: () => ownAddress() ?? ("" as Address),
    peer: () => (ownAddress()?.replace(/^.*\/p2p\//, "") ?? "") as PeerId,
  };
}

function linesOf(text: string): LogLine[] {
  return text.split("\n").flatMap((line) => {
    try {
      return line.startsWith("{") ? [JSON.parse(line) as LogLine] : [];
    } catch {
      return []; // half of a line
    }
  });
}

/** `count` nodes that are members, and a client with the role of an administrator. */
export async function startCluster(count = 3): Promise<TestCluster> {
  const dir = mkdtempSync(join(tmpdir(), "sage-security-"));
  const all: ReturnType<typeof startNode>[] = [];
  const add = (name: string, options?: AddOptions) => {
    const node = startNode(dir, name, options);
    all.push(node);
    return node;
  };
  const stop = async () => {
    for (const { child } of all) child.kill("SIGKILL");
    await until(() => all.every((node) => !node.isRunning()));
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    return { dir, nodes: all, addNode: add, ...(await grow(dir, { all, add, count, stop })) };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Growing {
  readonly all: readonly NodeProcess[];
  readonly add: TestCluster["addNode"];
  readonly count: number;
  readonly stop: () => Promise<void>;
}

async function grow(dir: string, { all, add, count, stop }: Growing) {
  const first = add("n1");
  const hello = await until(() => /--join (\S+) --token (\S+)/.exec(first.out())).catch((error: unknown) => {
    throw new Error(`the first node did not start: ${first.err()}`, { cause: error });
  });
  const [, address = "", joinToken = ""] = hello;
  for (let index = 2; index <= count; index++) {
    add(`n${index}`, { arguments: ["--join", address], environment: { SAGE_TOKEN: joinToken } });
  }
  await until(() => all.every((node) => node.out().includes("--join")));
  const admin = decodeCredentials(keys, readFileSync(join(dir, "n1", "admin.json"), "utf8"));
  const client = await openClient({
    credentials: admin,
    addresses: all.map((node) => node.address()),
    software: "test",
  });
  for (let voters = 0; voters < count; await sleep(50)) {
    const { members } = await client.call(clusterStatus, {});
    voters = members.filter(({ isVoter, health }) => isVoter && health === "alive").length;
  }
  const closeAll = async () => {
    await client.close();
    await stop();
  };
  return { admin, joinToken, token: parseToken(joinToken), client, stop: closeAll };
}

/** Settings committed a second by `clients` callers at once. */
export async function commitRate(client: ClusterClient, forMs: number, clients = 16): Promise<number> {
  const startMs = performance.now();
  let done = 0;
  const loop = async (id: number) => {
    while (performance.now() - startMs < forMs) {
      await client.call(settingSet, { key: `rate/${id}`, value: String(done), expectedVersion: null });
      done++;
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, id) => loop(id)));
  return (done * 1_000) / (performance.now() - startMs);
}
