import type { Actor, Command, CommandValue, Outcome, Peers, RefusalCode, RequestId } from "../../cluster/mod.ts";
import { type PeerId, SageError } from "../../kernel/mod.ts";
import type { CallContext } from "../../protocol/mod.ts";
import { NodeError } from "../error.ts";
import type { Gossip } from "../gossip.ts";
import type { Jobs } from "../jobs/mod.ts";
import type { NodeOptions, NodePorts } from "../ports.ts";
import type { Replica } from "../replica.ts";

/** What the handlers of a node's methods work on. */
export interface ServiceContext {
  readonly ports: NodePorts;
  readonly options: NodeOptions;
  readonly replica: Replica;
  /** Null until the node has started. */
  readonly gossip: () => Gossip | null;
  /** Sessions with other nodes. */
  readonly peers: () => Peers;
  readonly jobs: () => Jobs;
  readonly startedMs: number;
  readonly phase: () => "starting" | "joining" | "ready" | "leaving";
  /** Who calls, as the audit is to name it. */
  readonly actor: (peer: PeerId) => Actor;
  /** Monotonic time at which this node was last level with a leader; null: never. */
  readonly levelMs: () => number | null;
}

/** A command was refused by the replicated state. */
export class RefusedError extends SageError<RefusalCode> {
  override readonly name = "RefusedError";
}

/**
 * Proposes for the caller and gives the value; under `request` where the caller has named what it asks for.
 *
 * @throws {RefusedError}, {ConsensusError}
 */
export async function command(
  context: ServiceContext,
  call: CallContext,
  body: Command,
  request?: RequestId,
): Promise<CommandValue> {
  const timeoutMs = remainingMs(context, call);
  const outcome = await context.replica.propose(body, context.actor(call.peer), timeoutMs, request);
  return valueOf(outcome);
}

export function valueOf(outcome: Outcome): CommandValue {
  if (outcome.ok) return outcome.value;
  throw new RefusedError(outcome.code, outcome.message, { retryable: outcome.code === "format" });
}

/** As `command`, for what gives an id: when the request comes again, that of the first time. Errors as of `command`. */
export async function commandId(
  context: ServiceContext,
  call: CallContext,
  body: Command,
  request: RequestId | undefined,
): Promise<string> {
  const value = await command(context, call, body, request);
  if (value.type === "id") return value.id;
  throw new NodeError("not-possible", `${body.kind} was done before, by older software: what it made is not known.`);
}

const ANSWER_MS_MAX = 60_000;
/** Left for the answer to travel. */
const MARGIN_MS = 50;

export function remainingMs({ ports }: ServiceContext, { deadlineMs }: CallContext): number {
  if (deadlineMs === null) return ANSWER_MS_MAX;
  return Math.min(ANSWER_MS_MAX, Math.max(1, deadlineMs - ports.clock.nowMs() - MARGIN_MS));
}

/** Waits until what is read is as new as `consistency` asks, and says how new that is. */
export async function freshen(
  context: ServiceContext,
  call: CallContext,
  consistency: "leader" | "stale",
): Promise<{ node: PeerId; appliedIndex: number; isLinearizable: boolean; staleMs: number | null }> {
  const { replica, ports } = context;
  if (consistency === "leader") await replica.catchUp(remainingMs(context, call));
  return { node: ports.transport.self, ...freshness(context, consistency) };
}

function freshness(context: ServiceContext, consistency: "leader" | "stale") {
  const { replica, ports } = context;
  const { appliedIndex } = replica.state;
  if (consistency === "leader") return { appliedIndex, isLinearizable: true, staleMs: 0 };
  const levelMs = context.levelMs();
  return {
    appliedIndex,
    isLinearizable: false,
    staleMs: levelMs === null ? null : Math.max(0, ports.clock.nowMs() - levelMs),
  };
}
