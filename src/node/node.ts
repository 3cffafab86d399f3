/**
 * One member of a cluster: transport, gate, gossip and replica wired together, and its life: found or join, serve, hand
 * over, stop. The same code runs on the real machine and in the simulator.
 */
import {
  type Actor,
  type ApplyResult,
  askToJoin,
  type Command,
  ConsensusError,
  createClusterId,
  createClusterKey,
  FORMAT_MAX,
  type MemberInfo,
  type MemberView,
  Peers,
  parseToken,
  peerOfAddress,
  type SelfFacts,
} from "../cluster/mod.ts";
import { type Address, invariant, type PeerId, Timers } from "../kernel/mod.ts";
import { join, methodTable, on, ownVersions, PROTOCOL_MAX, PROTOCOL_MIN } from "../protocol/mod.ts";
import { firstChange, type Message, type RaftRules, type RoleChange } from "../raft/mod.ts";
import { BlobKeeper } from "./blob_keeper.ts";
import { Departure, LAST_WORDS_MS } from "./departure.ts";
import { Doors } from "./doors.ts";
import { NodeError } from "./error.ts";
import { Gate } from "./gate.ts";
import { Gossip } from "./gossip.ts";
import { handOver } from "./hand_over.ts";
import { LeaderLog } from "./leader_log.ts";
import { Level } from "./level.ts";
import { DEFAULT_NODE_TIMINGS, type NodeOptions, type NodePorts, type NodeTimings } from "./ports.ts";
import { Replica, type ReplicaWatch } from "./replica.ts";
import { eventsOf } from "./services/applied_events.ts";
import type { ServiceContext } from "./services/context.ts";
import { Events } from "./services/events.ts";
import { services } from "./services/mod.ts";
import { isSameInfo, Standing } from "./standing.ts";
import { Steward } from "./steward.ts";
import { unfit } from "./unfit.ts";
import { welcome } from "./welcome.ts";

export type NodePhase = "starting" | "joining" | "ready" | "leaving" | "ended";

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
  readonly #ports: NodePorts;
  readonly #options: NodeOptions;
  readonly #hooks: NodeHooks;
  readonly #timings: NodeTimings;
  readonly #timers: Timers;
  readonly #standing: Standing;
  readonly #departure: Departure;
  readonly #gate: Gate;
  readonly #doors: Doors;
  readonly #peers: Peers;
  readonly #replica: Replica;
  readonly #level: Level;
  readonly #leaderLog: LeaderLog;
  readonly #events = new Events();
  readonly #startedMs: number;
  #gossip: Gossip | null = null;
  #steward: Steward | null = null;
  #blobs: BlobKeeper | null = null;
  #phase: NodePhase = "starting";
  #wasMember = false;
  #isUpdating = false;
  #isLookDue = false;
  #whenMember: (() => void)[] = [];

  /** Opens what the store and the keepsake hold; nothing is sent before `start`. */
  constructor(ports: NodePorts, options: NodeOptions, hooks: NodeHooks = {}) {
    const { clock, keys, log, transport } = ports;
    this.#ports = ports;
    this.#options = options;
    this.#hooks = hooks;
    this.#timings = { ...DEFAULT_NODE_TIMINGS, ...options.timings };
    this.#timers = new Timers(clock, ports.random);
    this.#startedMs = clock.nowMs();
    this.#standing = new Standing(ports);
    this.#leaderLog = new LeaderLog({
      clock,
      log,
      nameOf: (peer) =>
        this.#gossip?.member(peer)?.record.name ?? this.#replica.state.members.get(peer)?.info.name ?? null,
    });
    this.#foundLog();
    this.#replica = new Replica({
      ports,
      timers: this.#timers,
      timings: this.#timings,
      ...(hooks.rules === undefined ? {} : { rules: hooks.rules }),
      ...(hooks.replica === undefined ? {} : { watch: hooks.replica }),
      ...(options.snapshots === undefined ? {} : { snapshots: options.snapshots }),
      post: (to, message) => this.#doors.post(to, { kind: "raft", message }),
      roleChanged: (change) => this.#roleChanged(change),
      membershipChanged: () => this.#votersChanged(),
      applied: (result) => this.#applied(result),
      failed: (error) => this.#end({ kind: "failed", error }),
    });
    this.#level = new Level(clock, this.#replica.consensus);
    this.#departure = this.#createDeparture();
    this.#gate = new Gate({
      clock,
      keys,
      log,
      state: this.#replica.state,
      belonging: () => this.#standing.belonging,
      isCaughtUp: () => this.#level.atMs !== null,
      isStillHeard: (peer) => this.#departure.isHeard(peer),
      disconnect: (peer, reason) => transport.disconnect(peer, reason),
    });
    const versions = ownVersions(`sage ${options.version}`);
    const methods = methodTable([...services(this.#context()), ...this.#events.services()]);
    this.#peers = new Peers({
      clock,
      log,
      transport,
      versions,
      table: methods,
      roleOf: (peer) => this.#gate.roleOf(peer),
    });
    this.#doors = new Doors({
      ports,
      versions,
      gate: this.#gate,
      methods,
      guestMethods: methodTable([on(join, (body, { peer }) => this.#welcome(peer, body))]),
      credential: () => this.#standing.credential,
      raft: (from, message) => this.#stepped(from, message),
      gossip: (from, message) => this.#gossip?.receive(from, message),
      connected: (peer) => this.#gossip?.connected(peer),
      turnedAway: (peer, reason) => this.#departure.turnedAway(peer, reason),
      disconnected: (peer) => this.#gossip?.disconnected(peer),
      versionsOf: (peer) => this.#versionsOf(peer),
    });
    // What a snapshot brought back is as if it had just been applied.
    if (this.#replica.state.appliedIndex > 0) this.#applied(null);
  }

  #createDeparture(): Departure {
    const { clock, transport } = this.#ports;
    const voters = () => this.#replica.consensus.status().membership.voters;
    return new Departure({ clock, self: transport.self, voters, out: () => this.#end({ kind: "removed" }) });
  }

  get phase(): NodePhase {
    return this.#phase;
  }

  get self(): PeerId {
    return this.#ports.transport.self;
  }

  /** The replicated state and the consensus that keeps it; for this process' own use and for tests. */
  get replica(): Replica {
    return this.#replica;
  }

  /** What this node tells others as its addresses. */
  get addresses(): readonly Address[] {
    return this.#options.announce ?? this.#ports.transport.addresses;
  }

  members(): readonly MemberView[] {
    return this.#gossip?.members() ?? [];
  }

  /**
   * Founds a cluster, joins one, or goes on where it stopped. Resolves when this node is a member and serves.
   *
   * @throws {NodeError} other-cluster, no-token, not-reachable, itself, bad-address
   * @throws {AdmissionError} the cluster does not want it
   * @throws {TransportError} address-in-use, bad-address
   */
  async start(): Promise<void> {
    this.#checkJoin();
    await this.#ports.transport.start(this.#doors);
    const { belonging } = this.#standing;
    const isFounder = this.#replica.consensus.status().membership.voters.length > 0;
    if (belonging === null && !isFounder) await this.#join();
    this.#startGossip();
    this.#timers.every(this.#timings.stewardMs, () => this.#steward?.look());
    this.#lookSoon();
    this.#timers.every(UPKEEP_MS, () => this.#upkeep(), { jitter: 0.2 });
    this.#timers.every(REVIEW_MS, () => this.#gate.review(), { jitter: 0.2 });
    if (this.#replica.state.cluster === null && isFounder && belonging === null) await this.#found();
    await this.#isMember();
    if (this.#phase === "ended" || this.#phase === "leaving") return;
    this.#phase = "ready";
    this.#ports.log.write("info", "node is ready", {
      name: this.#options.name,
      peer: this.self,
      cluster: this.#replica.state.cluster?.id ?? null,
    });
    this.#upkeep();
  }

  /** Brings a command into the log in this node's own name. Errors as of `Proposer.propose`. */
  propose(command: Command, timeoutMs?: number) {
    return this.#replica.propose(command, this.#actor(this.self), timeoutMs);
  }

  /** Hands over what it holds and ends in order; at most a few seconds. */
  async stop(): Promise<void> {
    if (this.#phase === "ended") return;
    const wasReady = this.#phase === "ready";
    this.#phase = "leaving";
    if (wasReady && this.#gossip !== null) {
      this.#ports.log.write("info", "node is leaving", { name: this.#options.name });
      await handOver({ ports: this.#ports, replica: this.#replica, gossip: this.#gossip });
    }
    await this.#close();
  }

  /** An empty store of a node that joins nobody: it begins a log of which it is the only voter. */
  #foundLog(): void {
    const { store, transport } = this.#ports;
    const { hardState, lastIndex } = store.load();
    const isEmpty = hardState === null && lastIndex === 0;
    if (!isEmpty || this.#options.join !== null || this.#standing.belonging !== null) return;
    store.save(firstChange({ voters: [transport.self], learners: [] }));
  }

  /** What was asked for must fit what the data directory holds. */
  #checkJoin(): void {
    const wanted = this.#options.join;
    if (wanted === null) return;
    for (const address of wanted.addresses) peerOfAddress(this.#ports.keys, address);
    const own = this.#standing.belonging?.cluster ?? this.#replica.state.cluster?.id;
    const isFounder = own === undefined && this.#replica.consensus.status().membership.voters.length > 0;
    const asked = wanted.token === null ? undefined : parseToken(wanted.token).cluster;
    if (isFounder || (own !== undefined && asked !== undefined && own !== asked)) {
      throw new NodeError(
        "other-cluster",
        `Cannot join: this data directory belongs to ${own === undefined ? "a cluster of its own" : `cluster ${own}`}. Start without --join, or use another --data-dir.`,
      );
    }
    if (own === undefined && wanted.token === null) {
      throw new NodeError(
        "no-token",
        "Cannot join without a token. Make one on a node of the cluster: sage token create --role node",
      );
    }
  }

  async #join(): Promise<void> {
    const wanted = this.#options.join;
    invariant(wanted !== null && wanted.token !== null, "a node that belongs nowhere was told where to join");
    this.#phase = "joining";
    const { version } = this.#options;
    const { peer: _peer, name, formatMax: _formatMax, ...member } = this.#info();
    const grant = await askToJoin(
      this.#ports,
      { addresses: wanted.addresses, token: wanted.token },
      { name, software: `sage ${version}`, member },
    );
    const { cluster, certificate, keys } = grant;
    const members = grant.members.filter(({ peer }) => peer !== this.self);
    this.#standing.granted({ cluster, certificate, keys, members });
    this.#ports.log.write("info", "joined", { cluster, name: grant.clusterName });
  }

  /** The first command of a cluster. */
  async #found(): Promise<void> {
    const { keys, random, log } = this.#ports;
    const cluster = createClusterId(random);
    const outcome = await this.propose({
      kind: "cluster.create",
      cluster,
      name: this.#options.clusterName ?? "sage",
      ...createClusterKey(keys),
      member: this.#info(),
    });
    if (outcome.ok) log.write("info", "cluster founded", { cluster });
  }

  #startGossip(): void {
    const { transport } = this.#ports;
    const { belonging } = this.#standing;
    for (const { peer, addresses } of belonging?.members ?? []) transport.know(peer, addresses);
    this.#knowMembers();
    for (const address of this.#options.join?.addresses ?? []) {
      const peer = peerOfAddress(this.#ports.keys, address);
      if (peer !== this.self) transport.know(peer, [address]);
    }
    this.#gossip = new Gossip({
      ports: this.#ports,
      timers: this.#timers,
      self: this.#facts(),
      post: (to, message) => this.#doors.post(to, { kind: "gossip", message }),
      allow: (peer) => this.#isAllowed(peer),
      admittedCount: () => Math.max(this.#replica.state.members.size, this.#standing.belonging?.members.length ?? 0),
      changed: (peer, member) => this.#memberChanged(peer, member),
    });
    this.#steward = new Steward({
      ports: this.#ports,
      replica: this.#replica,
      gossip: this.#gossip,
      propose: (command) => this.#proposeSoon(command),
    });
    this.#blobs = new BlobKeeper({ ports: this.#ports, replica: this.#replica, peers: this.#peers });
    this.#gossip.join(this.#standing.knownPeers(this.#replica));
  }

  /** Where members were when they last said so in the log; what they say of themselves by gossip is newer. */
  #knowMembers(): void {
    for (const { info } of this.#replica.state.members.values()) {
      const isHeard = (this.#gossip?.member(info.peer) ?? null) !== null;
      if (info.peer !== this.self && !isHeard) this.#ports.transport.know(info.peer, info.addresses);
    }
  }

  #isAllowed(peer: PeerId): boolean {
    if (this.#replica.state.members.has(peer) || this.#departure.votes(peer)) return true;
    const isStale = this.#level.atMs === null;
    return isStale && (this.#standing.belonging?.members.some((member) => member.peer === peer) ?? false);
  }

  #stepped(from: PeerId, message: Message): void {
    const reason = unfit(message, this.#replica.state.format) ?? this.#replica.consensus.step(from, message);
    if (reason === null) this.#level.heard(from, message);
    else this.#ports.log.write("warn", "message refused", { peer: from, kind: message.kind, reason });
  }

  #roleChanged(change: RoleChange): void {
    const { term, leader } = change;
    this.#level.look();
    this.#leaderLog.changed(change);
    this.#events.emit({ kind: "leader", leader, term });
    this.#hooks.roleChanged?.(change);
  }

  #applied(result: ApplyResult | null): void {
    this.#standing.refresh(this.#replica, { isHurried: result !== null });
    const areMembersNew = result === null || (result.kind !== null && OF_MEMBERS.has(result.kind));
    if (areMembersNew) this.#knowMembers();
    const isMember = this.#replica.state.members.has(this.self);
    if (isMember) {
      this.#wasMember = true;
      for (const resolve of this.#whenMember.splice(0)) resolve();
    } else if (this.#wasMember && this.#replica.state.cluster !== null) {
      this.#departure.removed();
      this.#lookSoon();
    }
    if (result === null || result.kind === null || !result.outcome.ok) return;
    if (areMembersNew) this.#lookSoon();
    if (REVIEWED.has(result.kind)) this.#ports.clock.soon(() => this.#gate.review());
    for (const event of eventsOf(this.#replica.state, result)) this.#events.emit(event);
  }

  #votersChanged(): void {
    this.#lookSoon();
    this.#departure.look();
    if (this.#departure.isAnyoneLeaving) this.#timers.after(LAST_WORDS_MS + 1, () => this.#gate.review());
  }

  /** What has just changed may be a reason to change who votes: not to wait for the next round. */
  #lookSoon(): void {
    if (this.#isLookDue || this.#steward === null) return;
    this.#isLookDue = true;
    this.#ports.clock.soon(() => {
      this.#isLookDue = false;
      this.#steward?.look();
    });
  }

  #memberChanged(peer: PeerId, member: MemberView | null): void {
    this.#lookSoon();
    if (member === null) this.#events.emit({ kind: "member-removed", peer });
    else this.#events.emit({ kind: "member", peer, name: member.record.name, health: member.health });
  }

  #welcome(guest: PeerId, body: Parameters<typeof welcome>[2]) {
    const options = { ports: this.#ports, replica: this.#replica, self: () => this.#actor(this.self) };
    return welcome(options, guest, body).then((grant) => ({ grant }));
  }

  /** Once in a while: own entry, own certificate, missing blobs. */
  #upkeep(): void {
    this.#departure.look();
    this.#standing.refresh(this.#replica, { isHurried: false });
    this.#leaderLog.look();
    if (this.#phase !== "ready") return;
    this.#level.look();
    const holders = [...this.#replica.consensus.status().membership.voters].filter((peer) => peer !== this.self);
    this.#blobs?.look(holders);
    const entry = this.#replica.state.members.get(this.self);
    if (entry === undefined || this.#isUpdating) return;
    if (this.#standing.needsRenewal(this.#replica)) this.#proposeSoon({ kind: "certificate.renew", peer: this.self });
    else if (!isSameInfo(entry.info, this.#info())) this.#proposeSoon({ kind: "member.update", member: this.#info() });
  }

  #proposeSoon(command: Command): void {
    this.#isUpdating = true;
    this.propose(command)
      .then((outcome) => {
        if (!outcome.ok)
          this.#ports.log.write("warn", "own command refused", { kind: command.kind, reason: outcome.message });
      })
      .catch((error: unknown) => {
        const level = error instanceof ConsensusError ? "debug" : "error";
        this.#ports.log.write(level, "own command failed", { kind: command.kind, reason: String(error) });
      })
      .finally(() => {
        this.#isUpdating = false;
      });
  }

  #isMember(): Promise<void> {
    if (this.#wasMember) return Promise.resolve();
    return new Promise((resolve) => this.#whenMember.push(resolve));
  }

  #versionsOf(peer: PeerId): { readonly min: number; readonly max: number } | null {
    const record = this.#gossip?.member(peer)?.record;
    return record === undefined ? null : { min: record.protocolMin, max: record.protocolMax };
  }

  #info(): MemberInfo {
    const { name, slots, memoryBytes, version, voter } = this.#options;
    const addresses = [...this.addresses];
    return { peer: this.self, name, addresses, slots, memoryBytes, version, formatMax: FORMAT_MAX, voter };
  }

  #facts(): SelfFacts {
    const { formatMax: _formatMax, ...info } = this.#info();
    return { ...info, protocolMin: PROTOCOL_MIN, protocolMax: PROTOCOL_MAX };
  }

  #actor(peer: PeerId): Actor {
    if (peer === this.self) return { peer, name: this.#options.name, role: "node" };
    const role = this.#gate.roleOf(peer);
    return { peer, name: this.#gate.nameOf(peer), role: role === "guest" ? "read" : role };
  }

  #context(): ServiceContext {
    return {
      ports: this.#ports,
      options: this.#options,
      replica: this.#replica,
      gossip: () => this.#gossip,
      peers: () => this.#peers,
      startedMs: this.#startedMs,
      phase: () => (this.#phase === "ended" ? "leaving" : this.#phase),
      actor: (peer) => this.#actor(peer),
      levelMs: () => this.#level.atMs,
    };
  }

  #end(end: NodeEnd): void {
    if (this.#phase === "ended" || this.#phase === "leaving") return;
    this.#phase = "leaving";
    const reason = end.kind === "failed" ? String(end.error) : "it was taken out of the cluster";
    this.#ports.log.write(end.kind === "failed" ? "error" : "warn", "node ends", { reason });
    void this.#close().finally(() => this.#hooks.ended?.(end));
  }

  async #close(): Promise<void> {
    this.#gossip?.left();
    this.#replica.stop();
    this.#peers.close("the node stops");
    await this.#ports.transport.stop();
    this.#timers.stop();
    this.#ports.store.close();
    this.#phase = "ended";
  }
}

/** After these members, or where they are, may be others. */
const OF_MEMBERS: ReadonlySet<string> = new Set<Command["kind"]>([
  "cluster.create",
  "token.use",
  "member.admit",
  "member.update",
  "member.remove",
]);
/** After these someone's right to be here may have ended. */
const REVIEWED: ReadonlySet<string> = new Set<Command["kind"]>(["member.remove", "certificate.revoke", "key.retire"]);
