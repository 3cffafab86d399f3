/**
 * One member of a cluster: its parts wired together, and its life: found or join, serve, hand over, stop. The same code
 * runs on the real machine and in the simulator.
 */
import type { ApplyResult, Command, MemberView } from "../cluster/mod.ts";
import { type Address, type PeerId, Timers } from "../kernel/mod.ts";
import type { MethodTable } from "../protocol/mod.ts";
import type { RaftRules, RoleChange } from "../raft/mod.ts";
import { Company } from "./company.ts";
import { concernsMembers, endsRights } from "./consequences.ts";
import { Departure, LAST_WORDS_MS } from "./departure.ts";
import { checkJoin, foundCluster, foundLog, hasLog, joinCluster } from "./entry.ts";
import { handOver } from "./hand_over.ts";
import { LeaderLog } from "./leader_log.ts";
import { Level } from "./level.ts";
import { Own } from "./own.ts";
import type { NodeParts } from "./parts.ts";
import { DEFAULT_NODE_TIMINGS, type NodeOptions, type NodePhase, type NodePorts, type NodeTimings } from "./ports.ts";
import { Replica, type ReplicaWatch } from "./replica.ts";
import { eventsOf, memberEvent } from "./services/applied_events.ts";
import { Serving } from "./serving.ts";
import { Standing } from "./standing.ts";
import { Upkeep } from "./upkeep.ts";

/** Why a node ended by itself. */
export type NodeEnd =
  /** Someone took it out of the cluster. */
  | { readonly kind: "removed" }
  /** Its disk refused a write, or the log holds what this version does not understand. */
  | { readonly kind: "failed"; readonly error: unknown };

export interface NodeHooks {
  /** The node has ended by itself; called once. */
  readonly ended?: (end: NodeEnd) => void;
  readonly roleChanged?: (change: RoleChange) => void;
  /** Only tests that look for their own blind spots give others. */
  readonly rules?: RaftRules;
  readonly replica?: ReplicaWatch;
}

const REVIEW_MS = 10_000;
const UPKEEP_MS = 1_000;

export class ClusterNode {
  readonly #parts: NodeParts;
  readonly #hooks: NodeHooks;
  readonly #timings: NodeTimings;
  readonly #timers: Timers;
  readonly #leaderLog: LeaderLog;
  readonly #serving: Serving;
  readonly #upkeep: Upkeep;
  /** Null until the node has started. */
  #company: Company | null = null;
  #phase: NodePhase = "starting";
  #wasMember = false;
  #whenMember: (() => void)[] = [];

  /** Opens what the store and the keepsake hold; nothing is sent before `start`. */
  constructor(ports: NodePorts, options: NodeOptions, hooks: NodeHooks = {}) {
    const { clock, log } = ports;
    this.#hooks = hooks;
    this.#timings = { ...DEFAULT_NODE_TIMINGS, ...options.timings };
    this.#timers = new Timers(clock, ports.random);
    const own = new Own(ports, options);
    const standing = new Standing(ports);
    this.#leaderLog = new LeaderLog({ clock, log, nameOf: (peer) => this.#nameOf(peer) });
    foundLog({ ports, options, standing });
    const replica = this.#createReplica(ports, options);
    const level = new Level(clock, replica.consensus);
    const voters = () => replica.consensus.status().membership.voters;
    const departure = new Departure({ clock, self: own.peer, voters, out: () => this.#end({ kind: "removed" }) });
    const parts: NodeParts = { ports, options, own, standing, replica, level, departure };
    this.#parts = parts;
    const gossip = () => this.#company?.gossip ?? null;
    this.#serving = new Serving({ ...parts, timers: this.#timers, gossip, phase: () => this.#phase });
    const company = () => (this.#phase === "ready" ? this.#company : null);
    this.#upkeep = new Upkeep({ ...parts, leaderLog: this.#leaderLog, company });
    // What a snapshot brought back is as if it had just been applied.
    if (replica.state.appliedIndex > 0) this.#applied(null);
  }

  #createReplica(ports: NodePorts, { snapshots }: NodeOptions): Replica {
    const { rules, replica: watch } = this.#hooks;
    return new Replica({
      ports,
      timers: this.#timers,
      timings: this.#timings,
      ...(rules === undefined ? {} : { rules }),
      ...(watch === undefined ? {} : { watch }),
      ...(snapshots === undefined ? {} : { snapshots }),
      post: (to, message) => this.#serving.doors.post(to, { kind: "raft", message }),
      roleChanged: (change) => this.#roleChanged(change),
      membershipChanged: () => this.#votersChanged(),
      applied: (result) => this.#applied(result),
      failed: (error) => this.#end({ kind: "failed", error }),
    });
  }

  get phase(): NodePhase {
    return this.#phase;
  }

  get self(): PeerId {
    return this.#parts.own.peer;
  }

  /** The replicated state and the consensus that keeps it; for this process' own use and for tests. */
  get replica(): Replica {
    return this.#parts.replica;
  }

  /** What members and clients may call; for this process' own use and for tests. */
  get methods(): MethodTable {
    return this.#serving.methods;
  }

  /** What this node tells others as its addresses. */
  get addresses(): readonly Address[] {
    return this.#parts.own.addresses;
  }

  members(): readonly MemberView[] {
    return this.#company?.gossip.members() ?? [];
  }

  /**
   * Founds a cluster, joins one, or goes on where it stopped. Resolves when this node is a member and serves.
   *
   * @throws {NodeError} other-cluster, no-token, not-reachable, itself, bad-address
   * @throws {AdmissionError} the cluster does not want it
   * @throws {TransportError} address-in-use, bad-address
   */
  async start(): Promise<void> {
    const parts = this.#parts;
    const { ports, options, replica } = parts;
    checkJoin(parts);
    await ports.transport.start(this.#serving.doors);
    const isNew = parts.standing.belonging === null;
    const isFounder = hasLog(replica);
    if (isNew && !isFounder) {
      this.#phase = "joining";
      await joinCluster(parts);
    }
    this.#meetOthers();
    if (replica.state.cluster === null && isFounder && isNew) await foundCluster(parts);
    await this.#isMember();
    if (this.#phase === "ended" || this.#phase === "leaving") return;
    this.#phase = "ready";
    const cluster = replica.state.cluster?.id ?? null;
    const hasLeader = replica.consensus.status().leader !== null;
    ports.log.write("info", hasLeader ? "node is ready" : "node looks for its leader", {
      name: options.name,
      peer: this.self,
      cluster,
    });
    this.#upkeep.look();
    this.#serving.jobs.start();
  }

  /** Brings a command into the log in this node's own name. Errors as of `Proposer.propose`. */
  propose(command: Command, timeoutMs?: number) {
    return this.#parts.replica.propose(command, this.#parts.own.actor, timeoutMs);
  }

  /** Hands over what it holds and ends in order; at most a few seconds. */
  async stop(): Promise<void> {
    if (this.#phase === "ended") return;
    const wasReady = this.#phase === "ready";
    this.#phase = "leaving";
    if (wasReady && this.#company !== null) {
      const { ports, options, replica } = this.#parts;
      ports.log.write("info", "node is leaving", { name: options.name });
      await handOver({ ports, replica, gossip: this.#company.gossip });
    }
    await this.#close();
  }

  #meetOthers(): void {
    const { peers, doors, gate, events, jobs } = this.#serving;
    this.#company = new Company({
      ...this.#parts,
      timers: this.#timers,
      peers,
      post: (to, message) => doors.post(to, { kind: "gossip", message }),
      propose: (command) => this.#upkeep.propose(command),
      changed: (peer, member) => {
        jobs.memberChanged(peer, member);
        events.emit(memberEvent(peer, member));
      },
    });
    this.#timers.every(this.#timings.stewardMs, () => this.#company?.look());
    this.#company.lookSoon();
    this.#timers.every(UPKEEP_MS, () => this.#upkeep.look(), { jitter: 0.2 });
    this.#timers.every(REVIEW_MS, () => gate.review(), { jitter: 0.2 });
  }

  #nameOf(peer: PeerId): string | null {
    const name = this.#company?.gossip.member(peer)?.record.name;
    return name ?? this.#parts.replica.state.members.get(peer)?.info.name ?? null;
  }

  #roleChanged(change: RoleChange): void {
    const { term, leader } = change;
    this.#parts.level.look();
    this.#leaderLog.changed(change);
    this.#serving.events.emit({ kind: "leader", leader, term });
    this.#serving.jobs.roleChanged();
    this.#hooks.roleChanged?.(change);
  }

  #applied(result: ApplyResult | null): void {
    const { ports, replica, standing, departure } = this.#parts;
    const { state } = replica;
    standing.refresh(replica, { isHurried: result !== null });
    const areMembersNew = result === null || (result.kind !== null && concernsMembers(result.kind));
    if (areMembersNew) this.#company?.knowMembers();
    const isMember = state.members.has(this.self);
    if (isMember) {
      this.#wasMember = true;
      for (const resolve of this.#whenMember.splice(0)) resolve();
    } else if (this.#wasMember && state.cluster !== null) {
      departure.removed();
      this.#company?.lookSoon();
    }
    this.#serving.jobs.applied(result);
    if (result === null || result.kind === null || !result.outcome.ok) return;
    const { gate, events } = this.#serving;
    if (areMembersNew) this.#company?.lookSoon();
    if (endsRights(result.kind)) ports.clock.soon(() => gate.review());
    for (const event of eventsOf(state, result)) events.emit(event);
  }

  #votersChanged(): void {
    const { departure } = this.#parts;
    this.#company?.lookSoon();
    departure.look();
    if (departure.isAnyoneLeaving) this.#timers.after(LAST_WORDS_MS + 1, () => this.#serving.gate.review());
  }

  #isMember(): Promise<void> {
    if (this.#wasMember) return Promise.resolve();
    return new Promise((resolve) => this.#whenMember.push(resolve));
  }

  #end(end: NodeEnd): void {
    if (this.#phase === "ended" || this.#phase === "leaving") return;
    this.#phase = "leaving";
    const reason = end.kind === "failed" ? String(end.error) : "it was taken out of the cluster";
    this.#parts.ports.log.write(end.kind === "failed" ? "error" : "warn", "node ends", { reason });
    void this.#close().finally(() => this.#hooks.ended?.(end));
  }

  async #close(): Promise<void> {
    this.#company?.gossip.left();
    const { ports, replica } = this.#parts;
    replica.stop();
    this.#serving.peers.close("the node stops");
    await this.#serving.jobs.stop();
    await ports.transport.stop();
    this.#timers.stop();
    ports.store.close();
    this.#phase = "ended";
  }
}
