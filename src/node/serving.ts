/** What a node answers, and to whom: its gate and doors, the sessions that it opens itself, and the methods on them. */
import { type Actor, Peers } from "../cluster/mod.ts";
import type { Log, PeerId, Timers } from "../kernel/mod.ts";
import { join, type MethodTable, methodTable, on, ownVersions } from "../protocol/mod.ts";
import type { Message } from "../raft/mod.ts";
import { Doors } from "./doors.ts";
import { Gate } from "./gate.ts";
import type { Gossip } from "./gossip.ts";
import { Jobs } from "./jobs/mod.ts";
import type { NodeParts } from "./parts.ts";
import type { NodePhase } from "./ports.ts";
import type { ServiceContext } from "./services/context.ts";
import { Events } from "./services/events.ts";
import { services } from "./services/mod.ts";
import { unfit } from "./unfit.ts";
import { versionLog } from "./version_log.ts";
import { type JoinBody, welcome } from "./welcome.ts";

export interface ServingOptions extends NodeParts {
  readonly timers: Timers;
  readonly phase: () => NodePhase;
  /** Null until the node has started. */
  readonly gossip: () => Gossip | null;
}

export class Serving {
  readonly gate: Gate;
  readonly doors: Doors;
  readonly peers: Peers;
  readonly jobs: Jobs;
  /** For members and clients. */
  readonly methods: MethodTable;
  /** For those who watch the cluster. */
  readonly events = new Events();
  readonly #options: ServingOptions;
  readonly #startedMs: number;

  constructor(options: ServingOptions) {
    const { ports, options: asked } = options;
    this.#options = options;
    this.#startedMs = ports.clock.nowMs();
    this.gate = this.#createGate();
    const versions = ownVersions(`sage ${asked.version}`);
    const { timers, own, replica, standing, gossip } = options;
    this.jobs = new Jobs({ ports, timers, own, replica, standing, gossip, peers: () => this.peers });
    this.methods = methodTable([...services(this.#context()), ...this.events.services(), ...this.jobs.services()]);
    const { clock, transport } = ports;
    const log = versionLog(ports.log, clock);
    this.peers = new Peers({
      clock,
      log,
      transport,
      versions,
      table: this.methods,
      roleOf: (peer) => this.gate.roleOf(peer),
    });
    this.doors = this.#createDoors(versions, log);
  }

  #createGate(): Gate {
    const { ports, replica, standing, departure, level } = this.#options;
    const { clock, keys, log, transport } = ports;
    return new Gate({
      clock,
      keys,
      log,
      state: replica.state,
      belonging: () => standing.belonging,
      isCaughtUp: () => level.atMs !== null,
      isStillHeard: (peer) => departure.isHeard(peer),
      disconnect: (peer, reason) => transport.disconnect(peer, reason),
    });
  }

  #createDoors(versions: ReturnType<typeof ownVersions>, log: Log): Doors {
    const { ports, standing, departure, gossip } = this.#options;
    return new Doors({
      ports: { ...ports, log },
      versions,
      gate: this.gate,
      methods: this.methods,
      guestMethods: methodTable([on(join, (body, { peer }) => this.#welcome(peer, body))]),
      credential: () => standing.credential,
      executors: this.jobs.agent,
      raft: (from, message) => this.#step(from, message),
      gossip: (from, message) => gossip()?.receive(from, message),
      connected: (peer) => gossip()?.connected(peer),
      turnedAway: (peer, reason) => departure.turnedAway(peer, reason),
      disconnected: (peer) => {
        gossip()?.disconnected(peer);
        this.jobs.disconnected(peer);
      },
      versionsOf: (peer) => this.#versionsOf(peer),
    });
  }

  #context(): ServiceContext {
    const { ports, options, replica, level, gossip, phase } = this.#options;
    return {
      ports,
      options,
      replica,
      gossip,
      peers: () => this.peers,
      jobs: () => this.jobs,
      startedMs: this.#startedMs,
      phase: () => {
        const now = phase();
        return now === "ended" ? "leaving" : now;
      },
      actor: (peer) => this.#actor(peer),
      levelMs: () => level.atMs,
    };
  }

  #step(from: PeerId, message: Message): void {
    const { ports, replica, level } = this.#options;
    const reason = unfit(message, replica.state.format) ?? replica.consensus.step(from, message);
    if (reason === null) level.heard(from, message);
    else ports.log.write("warn", "message refused", { peer: from, kind: message.kind, reason });
  }

  #welcome(guest: PeerId, body: JoinBody) {
    const { ports, replica, own } = this.#options;
    return welcome({ ports, replica, self: () => own.actor }, guest, body).then((grant) => ({ grant }));
  }

  #versionsOf(peer: PeerId): { readonly min: number; readonly max: number } | null {
    const record = this.#options.gossip()?.member(peer)?.record;
    return record === undefined ? null : { min: record.protocolMin, max: record.protocolMax };
  }

  #actor(peer: PeerId): Actor {
    const { own } = this.#options;
    if (peer === own.peer) return own.actor;
    const role = this.gate.roleOf(peer);
    return { peer, name: this.gate.nameOf(peer), role: role === "guest" ? "read" : role };
  }
}
