/** A simulated cluster whose nodes run tasks: each with an agent, processes and a disk; and one disk that all of them see. */
import { Agent, type AgentApi, type AgentHooks, type AgentSettings, type DeployOrder } from "../../agent/mod.ts";
import { EXCHANGE_PARTS, type ExchangeParts } from "../../executor/mod.ts";
import type { Disk, Log, PeerId } from "../../kernel/mod.ts";
import type { CallContext, Served } from "../../protocol/mod.ts";
import { PartitionStore, type StoreOptions } from "../../shuffle/mod.ts";
import { VirtualFiles } from "../disk/virtual_files.ts";
import { Arenas } from "../executors/arenas.ts";
import type { FunctionsOf } from "../executors/virtual_engine.ts";
import type { VirtualProcess } from "../executors/virtual_process.ts";
import { VirtualMachine } from "../executors/virtual_spawner.ts";
import { SimCluster, type SimClusterOptions } from "../nodes/sim_cluster.ts";
import type { SimNode } from "../nodes/sim_node.ts";

/** What an executor's arena may take: so little that now and then partitions go to disk. */
const ARENA_BYTES = 24 << 20;
const ownArenas = new Arenas(ARENA_BYTES);

/** Done when they return. */
const ORDERS: ReadonlySet<string> = new Set([
  "agent.deploy",
  "agent.cancel",
  "agent.commit",
  "agent.endExecutor",
  "agent.release",
  "agent.inventory",
]);

export const WORK_DIRECTORY = "/data/work";

/** How fast tasks are, and how far ahead of their readers. */
export interface Pace {
  /** As of `VirtualEngineOptions`. */
  readonly turnMs: number;
  /** Of each partition; null: as on a real machine. */
  readonly windowBytes: number | null;
}

export interface JobClusterOptions extends Omit<SimClusterOptions, "agent"> {
  readonly functionsOf: FunctionsOf;
  readonly slots: number;
  readonly pace: Pace;
  readonly settings?: Partial<AgentSettings>;
  /** Default: one for each executor. */
  readonly arenas?: Arenas;
  readonly canary?: JobCanary;
}

/** Bugs put in on purpose, to see that they are found. */
export interface JobCanary {
  /** Puts something between a node and what its agent answers. */
  readonly wrapServed?: (served: Served) => Served;
  /** Puts something between an executor and the disk that all see. */
  readonly wrapDisk?: (disk: Disk) => Disk;
  /** Keeps what tasks give to each other. */
  readonly createStore?: (options: StoreOptions) => PartitionStore;
}

function exchangeParts({ windowBytes }: Pace, canary: JobCanary): ExchangeParts {
  const { createStore = (options) => new PartitionStore(options) } = canary;
  if (windowBytes === null) return { ...EXCHANGE_PARTS, createStore };
  return { windowBytes, createStore: (options) => createStore({ ...options, windowBytes }) };
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
  /** Tasks that agents were told to begin. */
  deployedTasks = 0;
  /** Times that rows of a run were asked for from another row on than its first. */
  continuedRows = 0;
  /** Of the newest order that each agent has carried out in its present life. */
  readonly #terms = new Map<PeerId, { readonly life: number; readonly term: number }>();
  /** An agent carried out an order of a term that was over for it. */
  staleOrder: (node: SimNode, text: string) => void = () => undefined;

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
    const { functionsOf, slots, pace, settings, arenas = ownArenas, canary = {} } = this.#options;
    const { world, network, keys } = this.cluster;
    const { host, peer, addresses, identity } = node;
    const files = this.filesOf(node);
    const machine = new VirtualMachine({
      ...(canary.wrapDisk === undefined ? {} : { wrapShared: canary.wrapDisk }),
      world,
      network,
      keys,
      node,
      arenas,
      files,
      shared: this.shared,
      functionsOf,
      turnMs: pace.turnMs,
      exchange: exchangeParts(pace, canary),
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
    this.#workers.set(peer, { agent, machine });
    const { wrapServed = (served) => served } = canary;
    const services = agent.services().map((served) => this.#watched(node, wrapServed(served)));
    return new Proxy<AgentApi>(agent, {
      get: (of, name: keyof AgentApi) => {
        if (name === "services") return () => services;
        const value: unknown = of[name];
        return typeof value === "function" ? (value.bind(of) as unknown) : value;
      },
    });
  }

  /** Sees which orders are carried out. */
  #watched(node: SimNode, served: Served): Served {
    const { name } = served.method;
    if (served.kind === "stream" && name === "agent.rows") {
      const rows = (request: unknown, context: CallContext) => {
        if ((request as { readonly fromRow: number }).fromRow > 0) this.continuedRows++; // as of all rows
        return served.run(request, context);
      };
      return { ...served, run: rows };
    }
    if (served.kind !== "call" || !ORDERS.has(name)) return served;
    const { life } = node.host;
    const run = (request: unknown, context: CallContext): unknown => {
      const { term } = request as { readonly term: number }; // as all orders
      const result = served.run(request, context);
      if (name === "agent.deploy") this.deployedTasks += (request as DeployOrder).tasks.length;
      const newest = this.#terms.get(node.peer);
      if (newest !== undefined && newest.life === life && term < newest.term) {
        this.staleOrder(node, `${name} of term ${term} was carried out after one of term ${newest.term}`);
      } else this.#terms.set(node.peer, { life, term });
      return result;
    };
    return { ...served, run };
  }
}
