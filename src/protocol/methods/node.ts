/** Methods about the node that is asked. */
import * as v from "valibot";
import { ADDRESSES_PER_MEMBER_MAX } from "../gossip.ts";
import { defineMethod } from "../rpc/method.ts";
import { address, clusterId, durationMs, integer, list, name, peerId, text, version, wallMs } from "../schema.ts";
import { PROTOCOL_VERSION_MAX } from "../version.ts";

export const raftRole = v.picklist(["leader", "follower", "candidate", "learner"]);

export const nodeStatus = defineMethod({
  name: "node.status",
  request: v.object({}),
  reply: v.object({
    peer: peerId,
    name,
    cluster: v.nullable(clusterId),
    version,
    protocolMin: integer(1, PROTOCOL_VERSION_MAX),
    protocolMax: integer(1, PROTOCOL_VERSION_MAX),
    addresses: list(address, ADDRESSES_PER_MEMBER_MAX),
    state: v.picklist(["starting", "joining", "ready", "leaving"]),
    raftRole: v.nullable(raftRole),
    leader: v.nullable(peerId),
    term: integer(),
    commitIndex: integer(),
    appliedIndex: integer(),
    slots: integer(),
    slotsUsed: integer(),
    memoryBytes: integer(),
    rssBytes: integer(),
    uptimeMs: durationMs,
    wallMs,
  }),
  minRole: "read",
});

/** What the node's replicated state is, for looking whether nodes agree: SHA-256 in hexadecimal. Costs as much as a snapshot. */
export const nodeDigest = defineMethod({
  name: "node.digest",
  request: v.object({}),
  reply: v.object({ appliedIndex: integer(), digest: text(64) }),
  minRole: "admin",
});
