/** What faults do to a simulated cluster, and the two who put things right again: a supervisor and an operator. */
import type { PeerId } from "../../kernel/mod.ts";
import type { SimCluster } from "../nodes/sim_cluster.ts";
import type { SimNode } from "../nodes/sim_node.ts";
import type { DiskState, FaultTarget } from "./faults.ts";

/** A process that ended by itself is started again after this. */
const SUPERVISOR_MS = 1_000;
/** The operator looks this often whether a node that was taken out may be switched off. */
const OPERATOR_MS = 500;

export class ClusterTarget implements FaultTarget {
  readonly #cluster: SimCluster;
  /** Hosts that a fault keeps down: its own end brings them back. */
  readonly #down = new Set<string>();
  readonly #replacing = new Set<string>();
  /** Peers that were asked to leave. */
  readonly removed = new Set<PeerId>();
  #added: number;

  constructor(cluster: SimCluster) {
    this.#cluster = cluster;
    this.#added = cluster.nodes.length;
    this.#supervise();
  }

  get world() {
    return this.#cluster.world;
  }

  get links() {
    return this.#cluster.network.links;
  }

  get isReplacing(): boolean {
    return this.#replacing.size > 0;
  }

  readonly note = (text: string): void => this.#cluster.note("world", text);

  readonly hosts = (): string[] => this.#cluster.nodes.map(({ name }) => name);

  readonly crash = (host: string): void => {
    this.#down.add(host);
    this.#with(host, "crashes", (node) => node.host.die());
  };

  readonly crashAfterCalls = (host: string, count: number): void => {
    this.#down.add(host);
    this.#with(host, `will crash after ${count} calls`, (node) => node.host.crashAfterCalls(count));
  };

  readonly stop = (host: string): void => {
    this.#down.add(host);
    this.#with(host, "is told to stop", (node) => {
      const { life } = node.host;
      const off = () => {
        if (node.host.life === life) node.host.die();
      };
      node.host.soon(() => void node.node?.stop().then(off, off));
    });
  };

  readonly restart = (host: string): void => {
    this.#down.delete(host);
    const node = this.#find(host);
    if (node === null || node.host.isUp) return;
    this.#cluster.note(host, "starts again");
    if (node.belongs) node.restart();
    else this.#cluster.join(node);
  };

  readonly pause = (host: string, forMs: number): void =>
    this.#with(host, `is stopped for ${Math.round(forMs)} ms`, (node) => node.host.stall(forMs));

  readonly setClock = (host: string, offMs: number): void => {
    const node = this.#find(host);
    if (node === null || node.host.wallOffsetMs === offMs) return;
    this.#cluster.note(host, `clock jumps to ${Math.round(offMs)} ms off`);
    node.host.wallOffsetMs = offMs;
  };

  readonly setDisk = (host: string, { writeMs, isFull }: DiskState): void => {
    const node = this.#find(host);
    if (node === null) return;
    if (node.disk.isFull !== isFull) this.#cluster.note(host, isFull ? "disk is full" : "disk has room");
    node.disk.writeMs = writeMs;
    node.disk.isFull = isFull;
  };

  /** Takes a host out, one at a time, and puts a new one in its place when it is out. */
  readonly replace = (host: string): void => {
    const node = this.#find(host);
    if (node === null || this.isReplacing) return;
    this.#replacing.add(host);
    this.#cluster.note(host, "is asked to leave the cluster");
    this.#takeOut(node);
  };

  readonly transferLeader = (host: string): void => {
    const to = this.#find(host)?.peer;
    const { leader } = this.#cluster;
    if (to === undefined || leader === null) return;
    this.#cluster.note(leader.name, `is asked to hand over to ${host}`);
    leader.host.soon(() => leader.node?.replica.consensus.transferLeader(to));
  };

  /** Everyone is brought back, now. */
  release(): void {
    this.#down.clear();
  }

  #takeOut(node: SimNode): void {
    const { world } = this.#cluster;
    const { peer } = node;
    const { leader } = this.#cluster;
    if (leader !== null && leader.node !== null && this.#isOut(leader, peer)) return this.#switchOff(node);
    const helper = world.random.pick(this.#cluster.nodes.filter(({ node: other }) => other?.phase === "ready"));
    if (helper !== undefined && helper.node?.replica.state.members.has(peer)) {
      this.removed.add(peer);
      helper.host.soon(() => {
        helper.node
          ?.propose({ kind: "member.remove", peer, reason: "replaced" }, OPERATOR_MS * 4)
          .catch(() => undefined);
      });
    }
    world.after(OPERATOR_MS, () => this.#takeOut(node));
  }

  /** The leader knows for certain that the rest can do without it. */
  #isOut({ node }: SimNode, peer: PeerId): boolean {
    if (node === null || node.replica.state.members.has(peer) || !this.removed.has(peer)) return false;
    const { membership, isMembershipPending, leaseLeftMs } = node.replica.consensus.status();
    if (isMembershipPending || leaseLeftMs <= 0) return false;
    return !membership.voters.includes(peer) && !membership.learners.includes(peer);
  }

  #switchOff(node: SimNode): void {
    this.#cluster.note(node.name, "is switched off for good");
    this.#cluster.remove(node.name);
    this.#replacing.delete(node.name);
    this.#down.delete(node.name);
    this.#cluster.joinNew(`n${++this.#added}`);
  }

  /** As a service manager does: what ended is started again. */
  #supervise(): void {
    this.#cluster.world.after(SUPERVISOR_MS, () => {
      for (const { name, host, peer } of this.#cluster.nodes) {
        if (!host.isUp && !this.#down.has(name) && !this.removed.has(peer)) this.restart(name);
      }
      this.#supervise();
    });
  }

  #find(host: string): SimNode | null {
    return this.#cluster.nodes.find(({ name }) => name === host) ?? null;
  }

  #with(host: string, what: string, act: (node: SimNode) => void): void {
    const node = this.#find(host);
    if (node === null || !node.host.isUp) return;
    this.#cluster.note(host, what);
    act(node);
  }
}
