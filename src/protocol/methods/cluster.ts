/** Methods about the cluster as a whole. */
import * as v from "valibot";
import { ADDRESSES_PER_MEMBER_MAX } from "../gossip.ts";
import { defineMethod } from "../rpc/method.ts";
import { address, clusterId, durationMs, integer, list, name, peerId, text, version } from "../schema.ts";
import { committed, freshness, reason, requestId } from "./common.ts";
import { raftRole } from "./node.ts";

export const CLUSTER_MEMBERS_MAX = 10_000;

export const health = v.picklist(["alive", "suspect", "dead", "leaving", "left", "unknown"]);

/** A member as the asked node sees it; null where it does not know. */
export const memberStatus = v.object({
  peer: peerId,
  name,
  health,
  raftRole: v.nullable(raftRole),
  isVoter: v.boolean(),
  version: v.nullable(version),
  addresses: list(address, ADDRESSES_PER_MEMBER_MAX),
  slots: integer(),
  memoryBytes: integer(),
  /** Share of slots in use, 0 to 1. */
  load: v.nullable(v.pipe(v.number(), v.finite())),
  /** Log index up to which it is known to have everything; leaders know it of all, others of themselves. */
  matchIndex: v.nullable(integer()),
  lastHeardMs: v.nullable(durationMs),
  uptimeMs: v.nullable(durationMs),
});
export type MemberStatus = v.InferOutput<typeof memberStatus>;

export const clusterStatus = defineMethod({
  name: "cluster.status",
  request: v.object({}),
  reply: v.object({
    cluster: clusterId,
    name: text(128),
    /** The key that signs now; who holds a certificate of another one renews it. */
    keyId: v.optional(text(64)),
    leader: v.nullable(peerId),
    term: integer(),
    commitIndex: integer(),
    appliedIndex: integer(),
    members: list(memberStatus, CLUSTER_MEMBERS_MAX),
    freshness,
  }),
  minRole: "read",
});

/** A member leaves: leadership handed over, vote given up, record removed. Without `peer` the asked node itself. */
export const clusterLeave = defineMethod({
  name: "cluster.leave",
  request: v.object({ peer: v.optional(peerId), reason: v.optional(reason), request: v.optional(requestId) }),
  reply: v.object({ peer: peerId, index: integer() }),
  minRole: "admin",
});

/** Without `to` the leader chooses. */
export const clusterTransferLeader = defineMethod({
  name: "cluster.transferLeader",
  request: v.object({ to: v.optional(peerId) }),
  reply: v.object({ leader: peerId, term: integer() }),
  minRole: "admin",
});

/** A new cluster key signs from now on; old ones stay valid until what they signed was replaced. */
export const clusterRotateKey = defineMethod({
  name: "cluster.rotateKey",
  request: v.object({ request: v.optional(requestId) }),
  reply: v.object({ ...committed.entries, keyId: text(64) }),
  minRole: "admin",
});

/**
 * Ends all cluster keys but the one that signs, with what they signed. Refused while members hold certificates of them;
 * clients that do must come in anew. Doing it again does nothing.
 */
export const clusterRetireKeys = defineMethod({
  name: "cluster.retireKeys",
  request: v.object({}),
  /** Those that were ended. */
  reply: v.object({ ...committed.entries, keyIds: list(text(64), 64) }),
  minRole: "admin",
});
