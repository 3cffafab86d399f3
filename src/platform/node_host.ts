/** A node's ports on this machine: its directory, store, key, network and log. */
import { hostname, totalmem } from "node:os";
import { resolve } from "node:path";
import { Agent, type AgentHooks } from "../agent/mod.ts";
import type { Address, ClusterId, LogLevel, PeerId } from "../kernel/mod.ts";
import type { NodePorts } from "../node/mod.ts";
import { systemClock } from "./clock.ts";
import { cpuLoad } from "./cpu_load.ts";
import { openDataDirectory } from "./data_directory.ts";
import { nodeDisk } from "./disk.ts";
import { portsToKeep, withKeptPorts } from "./kept_ports.ts";
import { createKeys } from "./keys.ts";
import { type LogFormat, openLog } from "./log.ts";
import { createTransport } from "./network/mod.ts";
import { systemRandom } from "./random.ts";
import { processSpawner } from "./spawner.ts";
import { openRaftStore } from "./store/raft_store.ts";

export interface NodeHostOptions {
  readonly dataDir: string;
  readonly listen: readonly Address[];
  readonly announce: readonly Address[];
  readonly logFormat: LogFormat;
  readonly logLevel: LogLevel;
  /** The cluster that the node is to join, where known. */
  readonly cluster?: ClusterId;
  readonly mdns: boolean;
  /** What the node's agent offers; without, it runs no tasks. */
  readonly agent?: AgentShare | null;
  /** Only with `mdns`. */
  readonly found?: (peer: PeerId, addresses: readonly Address[]) => void;
}

export interface AgentShare {
  /** Of the software. */
  readonly version: string;
  readonly slots: number;
  readonly memoryBytes: number;
  /** A call of a job's function may take so long; null: for ever. */
  readonly userCallMsMax?: number | null;
}

export interface NodeHost {
  readonly ports: NodePorts;
  /** Once the node serves: notes which cluster the directory belongs to, and on which ports. @throws {StoreError} wrong-cluster */
  belongTo(cluster: ClusterId): void;
  /** After the node has stopped: gives the directory back and flushes the log. */
  close(): void;
}

/** @throws {StoreError} what is wrong with the directory, {TransportError} bad-address */
export async function openNodeHost(options: NodeHostOptions): Promise<NodeHost> {
  const keys = createKeys();
  const { dataDir, listen, announce, logFormat, logLevel, cluster, mdns, found } = options;
  const directory = openDataDirectory(dataDir, keys, cluster === undefined ? {} : { cluster });
  const log = openLog(systemClock, { format: logFormat, level: logLevel });
  try {
    const { agent = null } = options;
    const ports: NodePorts = {
      clock: systemClock,
      random: systemRandom,
      keys,
      log,
      identity: directory.keyPair,
      transport: createTransport({
        keyPair: directory.keyPair,
        log,
        listen: await withKeptPorts(listen, directory.keptPorts()),
        ...(announce.length === 0 ? {} : { announce }),
        mdns,
        ...(found === undefined ? {} : { found: (peer, addresses) => found(peer, addresses) }),
      }),
      store: openRaftStore(directory.storePath, { owner: directory.peer }),
      keepsake: directory.keepsake,
      residentBytes: () => process.memoryUsage.rss(),
      ...(agent === null ? {} : { agent: (hooks: AgentHooks) => createAgent(ports, options, { ...agent, hooks }) }),
    };
    return {
      ports,
      belongTo: (joined) => {
        directory.belongTo(joined);
        if (announce.length === 0) directory.keepPorts(portsToKeep(listen, ports.transport.addresses));
      },
      close: () => {
        log.close();
        directory.close();
      },
    };
  } catch (error) {
    directory.close();
    throw error;
  }
}

function createAgent(
  { clock, random, keys, log, transport, identity }: NodePorts,
  { dataDir, listen }: NodeHostOptions,
  { version, slots, memoryBytes, userCallMsMax, hooks }: AgentShare & { readonly hooks: AgentHooks },
): Agent {
  const ports = { clock, random, keys, log, transport, identity, spawner: processSpawner, disk: nodeDisk(0o700) };
  const workersPerSlot = Math.max(1, Math.floor(navigator.hardwareConcurrency / slots));
  const directory = resolve(dataDir, "work");
  return new Agent(
    { ...ports, load: cpuLoad() },
    {
      version,
      slots,
      memoryBytes,
      directory,
      workersPerSlot,
      listen,
      settings: userCallMsMax === undefined ? {} : { userCallMsMax },
    },
    hooks,
  );
}

/** What a node is called and offers unless it is told. */
export function machineDefaults(): { readonly name: string; readonly slots: number; readonly memoryBytes: number } {
  const plain = hostname()
    .replaceAll(/[^A-Za-z0-9._-]/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "");
  const cores = navigator.hardwareConcurrency;
  return {
    name: plain.slice(0, 48) || "node",
    slots: Math.max(1, Math.floor(cores / 2)),
    memoryBytes: Math.floor(totalmem() * 0.6),
  };
}
