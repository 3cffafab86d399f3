/**
 * The agents that a JobManager works with: which are there, what they offer, and orders to each in their order.
 *
 * An agent counts as lost when it cannot be called and its connection is gone, when gossip calls it dead, when it answers
 * nothing for a while although its node is there, or when it is no member any more. Until then its tasks are left alone. One that was lost, or whose connection broke, is asked for all that
 * it has before it is trusted again.
 */
import type * as v from "valibot";
import type { Health } from "../../cluster/mod.ts";
import { type Clock, type Log, type PeerId, SageError } from "../../kernel/mod.ts";
import { agentDeploy, agentInventory, type CallMethod, type Sent } from "../../protocol/mod.ts";
import type { FreeAgent } from "./allocation.ts";
import type { AgentCalls } from "./calls.ts";
import { pause } from "./pause.ts";
import type { UsedSlots } from "./used_slots.ts";

export type Inventory = v.InferOutput<typeof agentInventory.reply>;
export type DeployOrder = v.InferOutput<typeof agentDeploy.request>;

export interface AgentsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly term: number;
  readonly calls: AgentCalls;
  readonly isConnected: (peer: PeerId) => boolean;
  /** By gossip; null: not known. */
  readonly healthOf: (peer: PeerId) => Health | null;
  /** Members that offer slots. */
  readonly members: () => readonly PeerId[];
  /** All that the agent has; `deploying`: orders that it may not have seen yet. */
  readonly inventory: (peer: PeerId, inventory: Inventory, deploying: readonly DeployOrder[]) => void;
  readonly lost: (peer: PeerId, reason: string) => void;
  /** It has nothing of the job: whatever was there is gone. */
  readonly unknown: (peer: PeerId, jobId: string) => void;
  /** An order that it will never take. */
  readonly refused: (peer: PeerId, order: DeployOrder, reason: string) => void;
}

interface Order {
  readonly method: CallMethod<v.GenericSchema, v.GenericSchema>;
  readonly body: unknown;
}

interface Entry {
  readonly peer: PeerId;
  /** asking: nobody knows yet. */
  state: "asking" | "present" | "lost";
  isAsking: boolean;
  isPumping: boolean;
  readonly orders: Order[];
  slotCount: number;
  slotMemoryBytes: number;
  load: number;
  /** Until then it takes no tasks, as it says. */
  restsUntilMs: number;
}

const ASK_DEADLINE_MS = 1_000;
const ASK_AGAIN_MS = 400;
const ASK_LOST_MS = 1_000;
/** One that is lost may be slow only: it has more time for an answer, which nobody waits for. */
const ASK_LOST_DEADLINE_MS = 5_000;
/** While nobody knows what an agent has, jobs wait: so long at the most. */
const UNKNOWN_MS_MAX = 3_000;
/** An agent that was there may answer nothing for so long. */
const SILENT_MS_MAX = 15_000;
const NO_AGENT_MS = 10_000;
/** Calls that fail one after the other before an agent is lost. */
const FAILURES_MAX = 2;
const ORDER_DEADLINE_MS = 10_000;

export class Agents {
  readonly #options: AgentsOptions;
  readonly #entries = new Map<PeerId, Entry>();
  /** By name; null when others have come or gone. */
  #sorted: Entry[] | null = null;
  readonly #ended = new AbortController();

  constructor(options: AgentsOptions) {
    this.#options = options;
  }

  /** Takes up who is a member, and lets go of who is not. */
  look(): void {
    const members = new Set(this.#options.members());
    for (const peer of members) if (!this.#entries.has(peer)) this.#add(peer);
    for (const [peer, entry] of this.#entries) {
      if (members.has(peer)) continue;
      this.#entries.delete(peer);
      this.#sorted = null;
      this.#lose(entry, "its node was taken out of the cluster");
    }
  }

  stop(): void {
    this.#ended.abort();
    this.#entries.clear();
    this.#sorted = null;
  }

  /** Whether all have told what they have, or are lost. */
  get areKnown(): boolean {
    return [...this.#entries.values()].every(({ state }) => state !== "asking");
  }

  get present(): readonly PeerId[] {
    return [...this.#entries.values()].filter(({ state }) => state === "present").map(({ peer }) => peer);
  }

  isPresent(peer: PeerId): boolean {
    return this.#entries.get(peer)?.state === "present";
  }

  /** What agents that are there offer, in the order of their names; those that are about to go get nothing new. */
  facts(used: Pick<UsedSlots, "of">): FreeAgent[] {
    const nowMs = this.#options.clock.nowMs();
    this.#sorted ??= [...this.#entries.values()].sort((a, b) => (a.peer < b.peer ? -1 : 1));
    const { healthOf } = this.#options;
    return this.#sorted.flatMap((entry): FreeAgent[] => {
      const { state, peer, restsUntilMs, slotCount, slotMemoryBytes, load } = entry;
      if (state !== "present" || restsUntilMs > nowMs) return [];
      const taken = used.of(peer);
      // A full agent is looked at no further: in a busy cluster almost all are.
      if (taken.size >= slotCount) return [{ peer, slotCount, slotMemoryBytes, load, freeSlots: [] }];
      if (isGoing(healthOf(peer))) return [];
      const freeSlots: number[] = [];
      for (let slot = 0; slot < slotCount; slot++) if (!taken.has(slot)) freeSlots.push(slot);
      return [{ peer, slotCount, slotMemoryBytes, load, freeSlots }];
    });
  }

  /** What it said of itself with its last report. */
  loaded(peer: PeerId, load: number, restMs: number): void {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return;
    entry.load = load;
    entry.restsUntilMs = restMs === 0 ? 0 : this.#options.clock.nowMs() + restMs;
  }

  /** Its connection broke, or something else is odd about it. */
  doubt(peer: PeerId): void {
    const entry = this.#entries.get(peer);
    if (entry !== undefined) this.#ask(entry);
  }

  /** Gossip has another opinion of it. */
  healthChanged(peer: PeerId, health: Health | null): void {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return;
    if (health === "dead" || health === "left") this.#lose(entry, `its node is ${health}`);
    if (entry.state !== "present") this.#ask(entry);
  }

  order<Request extends v.GenericSchema, Reply extends v.GenericSchema>(
    peer: PeerId,
    method: CallMethod<Request, Reply>,
    body: Sent<v.InferInput<Request>>,
  ): void {
    const entry = this.#entries.get(peer);
    if (entry === undefined || entry.state === "lost") return;
    // Back together in `call`, which takes both as they are here.
    entry.orders.push({ method: method as unknown as Order["method"], body });
    this.#pump(entry);
  }

  #add(peer: PeerId): void {
    const entry: Entry = {
      peer,
      state: "asking",
      isAsking: false,
      isPumping: false,
      orders: [],
      slotCount: 0,
      slotMemoryBytes: 0,
      load: 0,
      restsUntilMs: 0,
    };
    this.#entries.set(peer, entry);
    this.#sorted = null;
    this.#ask(entry);
  }

  #ask(entry: Entry): void {
    if (entry.isAsking) return;
    entry.isAsking = true;
    void this.#askUntilTold(entry).finally(() => {
      entry.isAsking = false;
      this.#pump(entry);
    });
  }

  async #askUntilTold(entry: Entry): Promise<void> {
    const { calls, term, clock } = this.#options;
    const { signal } = this.#ended;
    const sinceMs = clock.nowMs();
    for (let failures = 0; this.#isCurrent(entry); ) {
      try {
        const deadlineMs = askDeadlineMs(entry, clock.nowMs() - sinceMs);
        const told = await calls.call(entry.peer, agentInventory, { term }, { deadlineMs });
        if (this.#isCurrent(entry)) this.#told(entry, told);
        return;
      } catch (error) {
        if (isStale(error)) return;
        if (hasNoAgent(error)) {
          this.#lose(entry, "its node has no agent");
          await pause(clock, NO_AGENT_MS, signal);
          continue;
        }
        if (!this.#options.isConnected(entry.peer)) failures++;
        const silentMs = clock.nowMs() - sinceMs;
        if (this.#isCurrent(entry)) this.#unanswered(entry, { failures, silentMs, isSilent: isLate(error) });
      }
      await pause(clock, failures < FAILURES_MAX ? ASK_AGAIN_MS : ASK_LOST_MS, signal);
    }
  }

  /** `isSilent`: it took the question; a node may also turn it down for a moment, as until it knows the one that asks. */
  #unanswered(
    entry: Entry,
    of: { readonly failures: number; readonly silentMs: number; readonly isSilent: boolean },
  ): void {
    const { failures, silentMs, isSilent } = of;
    const health = this.#options.healthOf(entry.peer);
    if (failures >= FAILURES_MAX || health === "dead" || health === "left") this.#lose(entry, "its node is gone");
    else if (silentMs >= (isSilent ? silentMsMax(entry) : SILENT_MS_MAX)) {
      const reason = `its agent has not answered for ${Math.round(silentMs / 1_000)} s`;
      if (entry.state === "asking") this.#options.log.write("warn", "agent is left out", { peer: entry.peer, reason });
      this.#lose(entry, reason);
    }
  }

  #told(entry: Entry, inventory: Inventory): void {
    const { slotCount, slotMemoryBytes, load } = inventory;
    Object.assign(entry, { state: "present", slotCount, slotMemoryBytes, load });
    const deploying = entry.orders.flatMap(
      ({ method, body }) => (method.name === agentDeploy.name ? [body as DeployOrder] : []), // by its name
    );
    this.#options.inventory(entry.peer, inventory, deploying);
  }

  #lose(entry: Entry, reason: string): void {
    if (entry.state === "lost") return;
    const wasPresent = entry.state === "present";
    entry.state = "lost";
    entry.orders.length = 0;
    if (wasPresent) this.#options.log.write("warn", "agent is lost", { peer: entry.peer, reason });
    this.#options.lost(entry.peer, reason);
  }

  /** One order after the other: what is sent later never arrives before. */
  #pump(entry: Entry): void {
    if (entry.isPumping || entry.isAsking || entry.orders.length === 0) return;
    entry.isPumping = true;
    void this.#sendAll(entry).finally(() => {
      entry.isPumping = false;
    });
  }

  async #sendAll(entry: Entry): Promise<void> {
    const { calls } = this.#options;
    for (let order = entry.orders[0]; order !== undefined && this.#isCurrent(entry); order = entry.orders[0]) {
      try {
        await calls.call(entry.peer, order.method, order.body as never, { deadlineMs: ORDER_DEADLINE_MS });
      } catch (error) {
        if (entry.orders[0] === order && this.#failed(entry, order, error)) return;
      }
      if (entry.orders[0] === order) entry.orders.shift();
    }
  }

  /** True: the others wait until it is known what the agent has. */
  #failed(entry: Entry, order: Order, error: unknown): boolean {
    const { log, refused } = this.#options;
    const isDeploy = order.method.name === agentDeploy.name;
    if (error instanceof SageError && (error.retryable || error.code === "deadline")) {
      // What was to be begun is found missing by the inventory, and is begun anew; all else is sent again.
      if (isDeploy) entry.orders.shift();
      this.#ask(entry);
      return true;
    }
    if (isStale(error)) return false;
    if (error instanceof SageError && error.code === "unknown-job") {
      this.#options.unknown(entry.peer, (order.body as { readonly jobId: string }).jobId); // all but deployments have it
      return false;
    }
    log.write("warn", "agent refuses an order", { peer: entry.peer, method: order.method.name, reason: String(error) });
    if (isDeploy)
      refused(entry.peer, order.body as DeployOrder, error instanceof Error ? error.message : String(error));
    return false;
  }

  #isCurrent(entry: Entry): boolean {
    return !this.#ended.signal.aborted && this.#entries.get(entry.peer) === entry;
  }
}

function silentMsMax({ state }: Entry): number {
  return state === "present" ? SILENT_MS_MAX : UNKNOWN_MS_MAX;
}

function askDeadlineMs(entry: Entry, silentMs: number): number {
  if (entry.state === "lost") return ASK_LOST_DEADLINE_MS;
  const leftMs = silentMsMax(entry) - silentMs;
  return leftMs <= 0 ? ASK_DEADLINE_MS : Math.min(ASK_DEADLINE_MS, leftMs);
}

function isLate(error: unknown): boolean {
  return error instanceof SageError && (error.code === "deadline" || error.code === "timeout");
}

function isGoing(health: Health | null): boolean {
  return health === "leaving" || health === "left" || health === "dead";
}

/** The node offers slots, but it has no agent: it was started without, or by other software. */
function hasNoAgent(error: unknown): boolean {
  return error instanceof SageError && (error.code === "unknown-method" || error.code === "not-possible");
}

/** A newer JobManager has spoken to the agent: this one is about to learn that it is none. */
function isStale(error: unknown): boolean {
  return error instanceof SageError && error.code === "stale-term";
}
