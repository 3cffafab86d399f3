import type { AgentApi, AgentHooks } from "../../agent/mod.ts";
import type { ApplyResult } from "../../cluster/mod.ts";
import { type Address, type KeyPair, type Keys, type LogFields, type LogLevel, type PeerId } from "../../kernel/mod.ts";
import { ClusterNode, type JoinOptions, type NodeEnd, type NodeOptions } from "../../node/mod.ts";
import type { RaftRules, RaftStore, RoleChange } from "../../raft/mod.ts";
import { VirtualDisk } from "../disk/virtual_disk.ts";
import { VirtualStore } from "../disk/virtual_store.ts";
import type { Network } from "../network/network.ts";
import { addressOf, VirtualTransport } from "../network/transport.ts";
import { Host } from "../world/host.ts";
import type { World } from "../world/world.ts";

/** Puts another store before the real one, or spoils the disk behind it. */
export type WrapStore = (store: RaftStore, host: Host, disk: VirtualDisk) => RaftStore;

/** A start that failed, or a node that ended by itself. */
export type SimNodeEnd = NodeEnd | { readonly kind: "not-started"; readonly error: unknown };

/** What the cluster around it wants to know of a node. */
export interface SimNodeHooks {
  readonly log: (node: SimNode, level: LogLevel, event: string, fields: LogFields) => void;
  readonly roleChanged: (node: SimNode, change: RoleChange) => void;
  readonly ended: (node: SimNode, end: SimNodeEnd) => void;
  /** A command was applied there. */
  readonly applied: (node: SimNode, result: ApplyResult, data: Uint8Array) => void;
  /** The node's state was replaced by a snapshot: at its start, or since it was far behind. */
  readonly restored: (node: SimNode, snapshot: Uint8Array) => void;
}

export interface SimNodeOptions {
  readonly world: World;
  readonly network: Network;
  readonly keys: Keys;
  readonly name: string;
  readonly hooks: SimNodeHooks;
  readonly node?: Partial<NodeOptions>;
  /** Made anew in each life of the host; without, its node runs no tasks. */
  readonly agent?: (node: SimNode, hooks: AgentHooks) => AgentApi;
  /** Canaries: tests that give a wrong judgement or a store that lies. */
  readonly rules?: RaftRules;
  readonly wrapStore?: WrapStore;
}

/** A host, its disk, and the node that runs there in its present life. */
export class SimNode {
  readonly host: Host;
  readonly disk = new VirtualDisk();
  readonly identity: KeyPair;
  readonly peer: PeerId;
  readonly #options: SimNodeOptions;
  #node: ClusterNode | null = null;
  #transport: VirtualTransport | null = null;
  #join: JoinOptions | null = null;
  /** What ends with this life of the host. */
  #ending: (() => void)[] = [];

  constructor(options: SimNodeOptions) {
    const { world, keys, name } = options;
    this.#options = options;
    this.host = new Host(world, name);
    this.identity = keys.create();
    this.peer = keys.peerOf(this.identity.publicKey);
    this.host.onCrash = () => this.#died();
  }

  get name(): string {
    return this.host.name;
  }

  get isUp(): boolean {
    return this.host.isUp && this.#node !== null;
  }

  /** The node of this life; null while the host is down. */
  get node(): ClusterNode | null {
    return this.host.isUp ? this.#node : null;
  }

  get addresses(): readonly Address[] {
    return [addressOf(this.name, this.peer)];
  }

  /** Whether the disk says that it belongs to a cluster. */
  get belongs(): boolean {
    return this.disk.hardState !== null || this.disk.files.has("belonging");
  }

  /** Starts a node on what the disk holds. A node that never belonged anywhere founds a cluster, or joins. */
  start(join: JoinOptions | null): void {
    if (this.host.isUp) return;
    this.#join = join ?? this.#join;
    this.host.boot();
    this.host.soon(() => this.#start());
  }

  /** Again, as it was told the first time. */
  restart(): void {
    this.start(null);
  }

  #start(): void {
    const { network, keys, hooks, rules, wrapStore, name, agent } = this.#options;
    const { host, disk } = this;
    const { life } = host;
    const isThisLife = () => host.isUp && host.life === life;
    const store = new VirtualStore(host, disk);
    const transport = new VirtualTransport(network, host, this.peer);
    this.#transport = transport;
    const ports = {
      clock: host,
      random: host,
      keys,
      transport,
      store: wrapStore?.(store, host, disk) ?? store,
      identity: this.identity,
      ...(agent === undefined ? {} : { agent: (of: AgentHooks) => agent(this, of) }),
      keepsake: {
        load: () => disk.files.get("belonging") ?? null,
        save: (bytes: Uint8Array) => {
          host.mayCrash(life);
          disk.files.set("belonging", bytes.slice());
          host.mayCrash(life);
        },
      },
      log: {
        write: (level: LogLevel, event: string, fields: LogFields = {}) => {
          if (isThisLife()) hooks.log(this, level, event, fields);
        },
      },
    };
    const options: NodeOptions = {
      name,
      version: "0.1.0",
      slots: 1,
      memoryBytes: 1 << 30,
      voter: "auto",
      announce: null,
      join: this.#join,
      ...this.#options.node,
    };
    try {
      const node = new ClusterNode(ports, options, {
        ended: (end) => {
          if (!isThisLife()) return;
          hooks.ended(this, end);
          host.die();
        },
        roleChanged: (change) => hooks.roleChanged(this, change),
        replica: {
          applied: (result, data) => hooks.applied(this, result, data),
          restored: (snapshot) => hooks.restored(this, snapshot),
        },
        ...(rules === undefined ? {} : { rules }),
      });
      this.#node = node;
      node.start().catch((error: unknown) => {
        if (!isThisLife()) return;
        hooks.ended(this, { kind: "not-started", error });
        host.die();
      });
    } catch (error) {
      if (!host.isUp) return;
      hooks.ended(this, { kind: "not-started", error });
      host.die();
    }
  }

  /** Calls `run` when the present life of the host ends. */
  atDeath(run: () => void): void {
    this.#ending.push(run);
  }

  #died(): void {
    for (const run of this.#ending.splice(0)) run();
    this.#transport?.kill();
    this.#transport = null;
    this.#node = null;
  }
}
