/** A simulated cluster whose nodes run tasks: each with an agent, processes and a disk; and one disk that all of them see. */
import { Agent, type AgentApi, type AgentHooks, type AgentSettings } from "../../agent/mod.ts";
import type { Log, PeerId } from "../../kernel/mod.ts";
import { VirtualFiles } from "../disk/virtual_files.ts";
import { Arenas } from "../executors/arenas.ts";
import type { FunctionsOf } from "../executors/virtual_engine.ts";
import type { VirtualProcess } from "../executors/virtual_process.ts";
import { VirtualMachine } from "../executors/virtual_spawner.ts";
import { SimCluster, type SimClusterOptions } from "../nodes/sim_cluster.ts";
import type { SimNode } from "../nodes/sim_node.ts";

/** What an executor's arena may take: so little that now and then partitions go to disk. */
const ARENA_BYTES = 24 << 20;
const arenas = new Arenas(ARENA_BYTES);

export const WORK_DIRECTORY = "/data/work";

export interface JobClusterOptions extends Omit<SimClusterOptions, "agent"> {
  readonly functionsOf: FunctionsOf;
  readonly slots: number;
  /** As of `VirtualEngineOptions`. */
  readonly turnMs: number;
  readonly settings?: Partial<AgentSettings>;
  /** Canaries: puts something between a node and its agent. */
  readonly wrapAgent?: (agent: AgentApi) => AgentApi;
}

/** What runs on a node in its present life. */
export interface Worker {
  readonly agent: AgentApi;
  readonly machine: VirtualMachine;
}

export class JobCluster {
  readonly cluster: SimCluster;
  /** Below `SHARED` on every node. */
  readonly shared = new VirtualFiles();
  readonly #options: JobClusterOptions;
  readonly #files = new Map<PeerId, VirtualFiles>();
  readonly #workers = new Map<PeerId, Worker>();

  constructor(options: JobClusterOptions) {
    const { slots, node } = options;
    this.#options = options;
    this.cluster = new SimCluster({
      ...options,
      node: { ...node, slots },
      agent: (of, hooks) => this.#createAgent(of, hooks),
    });
  }

  /** Of the nodes that are up. */
  get workers(): readonly (Worker & { readonly node: SimNode })[] {
    return this.cluster.nodes.flatMap((node) => {
      const worker = this.#workers.get(node.peer);
      return node.isUp && worker !== undefined ? [{ node, ...worker }] : [];
    });
  }

  get processes(): readonly VirtualProcess[] {
    return this.workers.flatMap(({ machine }) => machine.processes);
  }

  filesOf({ peer }: SimNode): VirtualFiles {
    const files = this.#files.get(peer) ?? new VirtualFiles();
    this.#files.set(peer, files);
    return files;
  }

  #createAgent(node: SimNode, hooks: AgentHooks): AgentApi {
    const { functionsOf, slots, turnMs, settings, wrapAgent } = this.#options;
    const { world, network, keys } = this.cluster;
    const { host, peer, addresses, identity } = node;
    const files = this.filesOf(node);
    const machine = new VirtualMachine({
      world,
      network,
      keys,
      node,
      arenas,
      files,
      shared: this.shared,
      functionsOf,
      turnMs,
    });
    const log: Log = {
      write: (level, event, fields = {}) => {
        if (level !== "debug") this.cluster.note(node.name, `agent: ${event} ${JSON.stringify(fields)}`);
      },
    };
    const agent = new Agent(
      {
        clock: host,
        random: host,
        keys,
        log,
        identity,
        spawner: machine,
        disk: machine.disk,
        transport: { self: peer, addresses },
      },
      {
        version: "0.1.0",
        slots,
        memoryBytes: slots << 26,
        directory: WORK_DIRECTORY,
        workersPerSlot: 0,
        ...(settings === undefined ? {} : { settings }),
      },
      hooks,
    );
    const wrapped = wrapAgent?.(agent) ?? agent;
    this.#workers.set(peer, { agent: wrapped, machine });
    return wrapped;
  }
}
