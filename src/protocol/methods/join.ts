/** How a guest comes in, over `/sage/join/1`: the only method there. */
import * as v from "valibot";
import { ADDRESSES_PER_MEMBER_MAX } from "../gossip.ts";
import { defineMethod } from "../rpc/method.ts";
import { address, bytes, integer, list, name, peerId, text, version } from "../schema.ts";
import { committed, requestId, TOKEN_LENGTH_MAX } from "./common.ts";

/** For the `frameBytesMax` of a session with a guest. */
export const GUEST_FRAME_BYTES_MAX = 1 << 15;
/** Longest answer to a joiner; what is in it is signed and belongs to admission. */
export const GRANT_BYTES_MAX = 1 << 20;

export const join = defineMethod({
  name: "join",
  request: v.object({
    token: text(TOKEN_LENGTH_MAX),
    name,
    /** What a node says of itself; null for a client. The peer is who the channel proves. */
    member: v.nullable(
      v.object({
        addresses: list(address, ADDRESSES_PER_MEMBER_MAX),
        slots: integer(0, 4_096),
        memoryBytes: integer(),
        version,
        formatMax: integer(1, 255),
        voter: v.picklist(["auto", "yes", "no"]),
      }),
    ),
  }),
  reply: v.object({ grant: bytes(GRANT_BYTES_MAX) }),
  minRole: "guest",
});

/** A certificate anew, before the old one ends or after the cluster's key changed; the peer is who the channel proves. */
export const certificateRenew = defineMethod({
  name: "certificate.renew",
  request: v.object({}),
  reply: v.object({ certificate: bytes(1_024) }),
  minRole: "read",
});

/** A client's certificate ends, and whoever shows it is sent away. Nodes are taken out by `cluster.leave` instead. */
export const certificateRevoke = defineMethod({
  name: "certificate.revoke",
  request: v.object({ peer: peerId, request: v.optional(requestId) }),
  reply: committed,
  minRole: "admin",
});
