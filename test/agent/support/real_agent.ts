/** An agent with real processes and a real network, and all that its node would do for it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, type AgentHooks, type AgentSettings, type JobsReport } from "../../../src/agent/mod.ts";
import { createClusterId, createClusterKey, issueCertificate } from "../../../src/cluster/mod.ts";
import type { Log, Transport } from "../../../src/kernel/mod.ts";
import { systemClock } from "../../../src/platform/clock.ts";
import { nodeDisk } from "../../../src/platform/disk.ts";
import { createKeys } from "../../../src/platform/keys.ts";
import { createTransport } from "../../../src/platform/network/mod.ts";
import { systemRandom } from "../../../src/platform/random.ts";
import { processSpawner } from "../../../src/platform/spawner.ts";
import { EXECUTOR_PROTOCOL } from "../../../src/protocol/mod.ts";

const DAY_MS = 86_400_000;

export interface RealAgentOptions {
  readonly slots?: number;
  readonly memoryBytes?: number;
  readonly workersPerSlot?: number;
  readonly settings?: Partial<AgentSettings>;
  readonly hooks?: Partial<AgentHooks>;
  readonly log?: Log;
  /** Of an earlier one; left where it is. */
  readonly directory?: string;
}

export interface RealAgent extends AsyncDisposable {
  readonly agent: Agent;
  readonly transport: Transport;
  readonly directory: string;
  readonly reports: JobsReport[];
  readonly logged: string[];
}

export async function realAgent(options: RealAgentOptions = {}): Promise<RealAgent> {
  const { slots = 2, memoryBytes = 512 << 20, workersPerSlot = 1, settings = {}, hooks = {} } = options;
  const keys = createKeys();
  const identity = keys.create();
  const clusterKey = createClusterKey(keys);
  const cluster = createClusterId(systemRandom);
  const peer = keys.peerOf(identity.publicKey);
  const nowMs = Date.now();
  const certificate = issueCertificate(keys, clusterKey, {
    cluster,
    facts: {
      serial: 1,
      peer,
      role: "node",
      name: "n1",
      keyId: clusterKey.keyId,
      issuedAtMs: nowMs,
      expiresAtMs: nowMs + DAY_MS,
    },
  });
  const logged: string[] = [];
  const log: Log = options.log ?? {
    write: (level, event, fields) => void logged.push(`${level} ${event} ${JSON.stringify(fields ?? {})}`),
  };
  const transport = createTransport({ keyPair: identity, log, listen: ["/ip4/127.0.0.1/tcp/0"] });
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "sage-agent-"));
  const reports: JobsReport[] = [];
  const agent = new Agent(
    {
      clock: systemClock,
      random: systemRandom,
      keys,
      log,
      spawner: processSpawner,
      disk: nodeDisk(),
      transport,
      identity,
    },
    { version: "0.1.0", slots, memoryBytes, directory: join(directory, "work"), workersPerSlot, settings },
    {
      facts: () => ({ cluster, keys: [clusterKey], certificate }),
      blob: () => Promise.reject(new Error("there are no blobs")),
      report: (body) => Promise.resolve(void reports.push(body)),
      findExecutor: () => Promise.reject(new Error("there are no other agents")),
      ...hooks,
    },
  );
  await transport.start({
    credential: () => certificate,
    admit: (from) => (agent.isOwnExecutor(from) ? { kind: "client" } : { kind: "refused", reason: "a stranger" }),
    connected: () => undefined,
    disconnected: () => undefined,
    posted: () => undefined,
    opened: (channel) => {
      if (channel.protocol === EXECUTOR_PROTOCOL) agent.attached(channel);
      else channel.abort("not spoken here");
    },
  });
  agent.start();
  return {
    agent,
    transport,
    directory,
    reports,
    logged,
    async [Symbol.asyncDispose]() {
      await agent.stop();
      await transport.stop();
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}
