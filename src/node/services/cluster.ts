import { createClusterKey, type MemberView } from "../../cluster/mod.ts";
import type { PeerId } from "../../kernel/mod.ts";
import {
  auditList,
  type CallContext,
  clusterLeave,
  clusterRetireKeys,
  clusterRotateKey,
  clusterStatus,
  clusterTransferLeader,
  type MemberStatus,
  on,
  type Served,
} from "../../protocol/mod.ts";
import { NodeError } from "../error.ts";
import { successors } from "../succession.ts";
import { command, commandId, freshen, RefusedError, remainingMs, type ServiceContext } from "./context.ts";

/** How long a handed-over leadership may take to show. */
const TRANSFER_MS = 5_000;
const LOOK_MS = 20;

export function clusterServices(context: ServiceContext): Served[] {
  const { replica, ports } = context;
  return [
    on(clusterStatus, async (_, call) => {
      const freshness = await freshen(context, call, "stale");
      const { leader, term, commit, applied } = replica.consensus.status();
      const { cluster } = replica.state;
      if (cluster === null) throw new NodeError("not-possible", "This node does not know its cluster yet. Try again.");
      const { id, name, activeKeyId } = cluster;
      const shared = { cluster: id, name, keyId: activeKeyId, leader, term, commitIndex: commit };
      return { ...shared, appliedIndex: applied, members: memberStatuses(context), freshness };
    }),
    on(clusterLeave, async ({ peer, reason, request }, call) => {
      const leaving = peer ?? ports.transport.self;
      if (replica.state.members.size === 1 && replica.state.members.has(leaving)) {
        throw new NodeError(
          "not-possible",
          "The last node cannot leave its cluster. Stop it and delete its data directory.",
        );
      }
      const { leader, membership } = replica.consensus.status();
      if (leader === leaving && membership.voters.length > 1) await transferAtLeader(context, call, {});
      const body = { kind: "member.remove", peer: leaving, reason: reason ?? "asked to leave" } as const;
      const gone = await commandId(context, call, body, request);
      return { peer: gone as PeerId, index: replica.state.appliedIndex }; // as the command has it
    }),
    on(clusterTransferLeader, (request, call) => transferAtLeader(context, call, request)),
    on(clusterRotateKey, async ({ request }, call) => {
      const key = createClusterKey(ports.keys);
      const keyId = await commandId(context, call, { kind: "key.rotate", ...key }, request);
      return { index: replica.state.appliedIndex, keyId };
    }),
    on(clusterRetireKeys, async (_, call) => {
      await freshen(context, call, "leader");
      const keyIds = await retireKeys(context, call);
      return { index: replica.state.appliedIndex, keyIds };
    }),
    on(auditList, async (query, call) => {
      const freshness = await freshen(context, call, "leader");
      const { limit, beforeIndex } = query;
      const page = { ...(limit === undefined ? {} : { limit }), ...(beforeIndex === undefined ? {} : { beforeIndex }) };
      return { entries: replica.state.audit(page), freshness };
    }),
  ];
}

const NAMES_SHOWN_MAX = 8;

/** Nothing is signed with an old key any more, so members that hold its certificates only get fewer. */
async function retireKeys(context: ServiceContext, call: CallContext): Promise<string[]> {
  const { cluster, keys, members } = context.replica.state;
  const keyIds = [...keys.keys()].filter((keyId) => keyId !== cluster?.activeKeyId);
  const holders = [...members.values()].filter(({ certificate }) => keyIds.includes(certificate.keyId));
  if (holders.length > 0) {
    const names = holders.map(({ info }) => info.name).sort();
    const more = names.length > NAMES_SHOWN_MAX ? ` and ${names.length - NAMES_SHOWN_MAX} more` : "";
    throw new NodeError(
      "in-use",
      `Cannot end the old cluster key: members still hold certificates of it: ${names.slice(0, NAMES_SHOWN_MAX).join(", ")}${more}. Running nodes renew within seconds. Start those that do not run, or take them out: sage cluster leave NODE`,
    );
  }
  for (const keyId of keyIds) {
    try {
      await command(context, call, { kind: "key.retire", keyId, isForced: true });
    } catch (error) {
      // Another caller was quicker, or the leader.
      if (!(error instanceof RefusedError) || error.code !== "not-found") throw error;
    }
  }
  return keyIds;
}

/** Members by name, as this node sees them. */
export function memberStatuses(context: ServiceContext): MemberStatus[] {
  const { replica, ports } = context;
  const status = replica.consensus.status();
  const matches = new Map(replica.consensus.progress().map(({ peer, match }) => [peer, match]));
  const nowMs = ports.clock.nowMs();
  const rows = [...replica.state.members.values()].map(({ info }): MemberStatus => {
    const member = context.gossip()?.member(info.peer) ?? null;
    const isSelf = info.peer === ports.transport.self;
    const isVoter = status.membership.voters.includes(info.peer);
    return {
      peer: info.peer,
      name: info.name,
      health: isSelf ? "alive" : (member?.health ?? "unknown"),
      raftRole: raftRoleOf(info.peer, isVoter, status),
      isVoter,
      version: member?.record.version ?? info.version,
      addresses: [...(member?.record.addresses ?? info.addresses)],
      slots: info.slots,
      memoryBytes: info.memoryBytes,
      load: isSelf ? 0 : (member?.load ?? null),
      matchIndex: isSelf ? status.lastIndex : (matches.get(info.peer) ?? null),
      lastHeardMs: isSelf ? 0 : heardAgoMs(member, nowMs),
      uptimeMs: isSelf ? Math.round(nowMs - context.startedMs) : null,
    };
  });
  return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function heardAgoMs(member: MemberView | null, nowMs: number): number | null {
  return member === null || member.lastHeardMs === null ? null : Math.max(0, Math.round(nowMs - member.lastHeardMs));
}

function raftRoleOf(
  peer: PeerId,
  isVoter: boolean,
  { leader, membership }: { leader: PeerId | null; membership: { readonly learners: readonly PeerId[] } },
): MemberStatus["raftRole"] {
  if (peer === leader) return "leader";
  if (isVoter) return "follower";
  return membership.learners.includes(peer) ? "learner" : null;
}

/** Only the leader can hand over: another node asks it to. */
async function transferAtLeader(
  context: ServiceContext,
  call: CallContext,
  request: { readonly to?: PeerId | undefined },
): Promise<{ leader: PeerId; term: number }> {
  const { replica, ports, peers } = context;
  const { leader } = replica.consensus.status();
  if (leader === null) throw new NodeError("not-possible", "There is no leader now. Try again.", { retryable: true });
  const { to } = request;
  if (leader === ports.transport.self) return transfer(context, to ?? successor(context), call.deadlineMs);
  const session = await peers().session(leader);
  const deadlineMs = remainingMs(context, call);
  return session.call(clusterTransferLeader, to === undefined ? {} : { to }, { deadlineMs });
}

function successor({ replica, gossip }: ServiceContext): PeerId {
  const view = gossip();
  const [best] = view === null ? [] : successors(replica.consensus.progress(), view);
  if (best !== undefined) return best;
  throw new NodeError("not-possible", "Cannot hand over: no other voter is alive, or this node is not the leader.");
}

async function transfer(context: ServiceContext, to: PeerId, deadlineMs: number | null) {
  const { replica, ports } = context;
  const result = replica.consensus.transferLeader(to);
  if (result.kind === "refused" && result.reason !== "is-leader") {
    throw new NodeError("not-possible", `Cannot hand leadership to ${to}: ${TRANSFER_REASONS[result.reason]}.`, {
      cause: result.reason,
    });
  }
  const endMs = Math.min(deadlineMs ?? Number.POSITIVE_INFINITY, ports.clock.nowMs() + TRANSFER_MS);
  while (ports.clock.nowMs() < endMs) {
    const { leader, term } = replica.consensus.status();
    if (leader === to) return { leader, term };
    await new Promise<void>((resolve) => void ports.clock.wake(LOOK_MS, resolve));
  }
  throw new NodeError("not-possible", `${to} did not become leader in time; the old leader goes on.`);
}

const TRANSFER_REASONS = {
  "not-leader": "the asked node is not the leader any more. Try again",
  "not-voter": "it is no voter. See: sage cluster status",
  transferring: "a hand-over is under way already",
} as const;
