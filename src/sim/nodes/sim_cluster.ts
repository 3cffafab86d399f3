/** A whole cluster of real nodes in one process, on virtual time, network and disks, from one seed. */
import { createToken, createTokenId } from "../../cluster/mod.ts";
import type { LogFields, LogLevel, PeerId } from "../../kernel/mod.ts";
import type { NodeOptions } from "../../node/mod.ts";
import type { RaftRules } from "../../raft/mod.ts";
import { Network } from "../network/network.ts";
import { Trace } from "../trace.ts";
import type { Host } from "../world/host.ts";
import { VirtualKeys } from "../world/virtual_keys.ts";
import { type Settle, World } from "../world/world.ts";
import { SimNode, type SimNodeHooks, type SimNodeOptions, type WrapStore } from "./sim_node.ts";

export interface SimClusterOptions {
  readonly seed: number;
  readonly settle: Settle;
  /** Keep a trace; costs time and memory. */
  readonly hasTrace?: boolean;
  readonly node?: Partial<NodeOptions>;
  readonly rules?: RaftRules;
  readonly wrapStore?: WrapStore;
  /** See `SimNodeOptions`. */
  readonly agent?: SimNodeOptions["agent"];
}

/** Members that a new node is told of. */
const ASKED_MAX = 3;
const LEADER_LOOK_MS = 100;
const TOKEN_TTL_MS = 30 * 86_400_000;

export class SimCluster {
  readonly world: World;
  readonly network: Network;
  readonly trace = new Trace();
  readonly keys: VirtualKeys;
  readonly #options: SimClusterOptions;
  readonly #nodes = new Map<string, SimNode>();
  readonly #names = new Map<PeerId, string>();
  #token: string | null = null;
  #leaderHost: Host | null = null;
  #leaderSeenMs = Number.NEGATIVE_INFINITY;
  /** Told of what nodes do; at most one. */
  watch: Partial<SimNodeHooks> = {};

  constructor(options: SimClusterOptions) {
    this.#options = options;
    this.world = new World(options);
    this.network = new Network(this.world);
    this.keys = new VirtualKeys(this.world.random.fork());
  }

  get nodes(): readonly SimNode[] {
    return [...this.#nodes.values()];
  }

  get(name: string): SimNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new TypeError(`no host ${name}`);
    return node;
  }

  nameOf(peer: PeerId): string {
    return this.#names.get(peer) ?? peer;
  }

  /** Makes a host; nothing runs there yet. */
  add(name: string, node: Partial<NodeOptions> = {}): SimNode {
    const { rules, wrapStore, agent } = this.#options;
    const made = new SimNode({
      world: this.world,
      network: this.network,
      keys: this.keys,
      name,
      node: { ...this.#options.node, ...node },
      ...(rules === undefined ? {} : { rules }),
      ...(wrapStore === undefined ? {} : { wrapStore }),
      ...(agent === undefined ? {} : { agent }),
      hooks: {
        log: (of, level, event, fields) => {
          this.#log(of, level, event, fields);
          this.watch.log?.(of, level, event, fields);
        },
        roleChanged: (of, change) => {
          this.note(of.name, `${change.role} in term ${change.term}`);
          this.watch.roleChanged?.(of, change);
        },
        ended: (of, end) => {
          this.note(of.name, `ended: ${end.kind}${"error" in end ? ` ${String(end.error)}` : ""}`);
          this.watch.ended?.(of, end);
        },
        applied: (of, result, data) => this.watch.applied?.(of, result, data),
        restored: (of, snapshot) => this.watch.restored?.(of, snapshot),
      },
    });
    this.#nodes.set(name, made);
    this.#names.set(made.peer, name);
    return made;
  }

  /** Founds a cluster of `count` nodes, `n1` first, and lets them settle. */
  async grow(count: number, options: Partial<NodeOptions> = {}): Promise<void> {
    const first = this.add("n1", options);
    first.start(null);
    await this.until(() => first.node?.phase === "ready", 10_000, "the first node is ready");
    await this.makeToken(first);
    for (let index = 2; index <= count; index++) this.joinNew(`n${index}`, options);
    const isReady = () => this.nodes.every(({ node }) => node?.phase === "ready");
    await this.until(isReady, 60_000, "all nodes are ready");
  }

  /** Makes a token for nodes, good for the rest of the run. */
  async makeToken(at: SimNode): Promise<void> {
    const { node } = at;
    const state = node?.replica.state;
    const key = state?.keys.get(state.cluster?.activeKeyId ?? "");
    if (!node || !state?.cluster || !key) throw new TypeError("no cluster key yet");
    const fields = {
      tokenId: createTokenId(at.host),
      role: "node" as const,
      expiresAtMs: Math.floor(this.world.wallMs) + TOKEN_TTL_MS,
      uses: 10_000,
    };
    this.#token = createToken(this.keys, key, { cluster: state.cluster.id, ...fields });
    await this.settled(node.propose({ kind: "token.create", ...fields, keyId: key.keyId }));
  }

  /** A new host that asks members to let it in. */
  joinNew(name: string, options: Partial<NodeOptions> = {}): SimNode {
    const node = this.add(name, options);
    this.join(node);
    return node;
  }

  /** Starts a host that belongs nowhere yet: it asks some members that are up, if there are any. */
  join(node: SimNode): void {
    const others = this.nodes.filter((other) => other !== node && other.belongs);
    const ready = others.filter((other) => other.node?.phase === "ready");
    const asked = (ready.length > 0 ? ready : others).slice(0, ASKED_MAX);
    node.start({ addresses: asked.flatMap(({ addresses }) => addresses), token: this.#token });
  }

  /** Forgets a host for good. */
  remove(name: string): void {
    const node = this.get(name);
    node.host.die();
    this.#nodes.delete(name);
  }

  get leader(): SimNode | null {
    const leaders = this.nodes.filter(({ node }) => node?.replica.consensus.status().role === "leader");
    const newest = leaders.sort((a, b) => termOf(b) - termOf(a))[0];
    return newest ?? null;
  }

  /** Of the node that was the leader when it was last looked for; cheap enough to ask at every event. */
  get leaderHost(): Host | null {
    if (this.world.nowMs - this.#leaderSeenMs >= LEADER_LOOK_MS) {
      this.#leaderSeenMs = this.world.nowMs;
      this.#leaderHost = this.leader?.host ?? null;
    }
    return this.#leaderHost;
  }

  /**
   * Runs until `isDone`, which is asked after every event, or every `lookMs` where that would be too often.
   *
   * @throws {Error} when that takes longer than `limitMs` of virtual time
   */
  async until(isDone: () => boolean, limitMs: number, what: string, lookMs?: number): Promise<number> {
    const startMs = this.world.nowMs;
    if (lookMs === undefined) await this.world.run(limitMs, isDone);
    else while (!isDone() && this.world.nowMs - startMs < limitMs) await this.world.run(lookMs);
    if (!isDone()) throw new Error(`Not within ${limitMs} virtual ms: ${what}`);
    return this.world.nowMs - startMs;
  }

  /** Runs until the promise is settled. */
  async settled<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let isSettled = false;
    const mark = () => {
      isSettled = true;
    };
    promise.then(mark, mark);
    await this.until(() => isSettled, limitMs, "an answer came");
    return promise;
  }

  note(host: string, text: string): void {
    if (this.#options.hasTrace) this.trace.add({ atMs: this.world.nowMs, host, text });
  }

  #log(node: SimNode, level: LogLevel, event: string, fields: LogFields): void {
    if (!this.#options.hasTrace || level === "debug") return;
    const shown = Object.entries(fields).map(([key, value]) => `${key}=${this.#shown(value)}`);
    this.trace.add({ atMs: this.world.nowMs, host: node.name, text: [event, ...shown].join(" ") });
  }

  #shown(value: LogFields[string]): string {
    return this.#names.get(value as PeerId) ?? String(value);
  }
}

function termOf({ node }: SimNode): number {
  return node?.replica.consensus.status().term ?? 0;
}
