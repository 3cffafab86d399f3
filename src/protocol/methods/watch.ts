/** Watching the cluster. */
import * as v from "valibot";
import { defineMethod } from "../rpc/method.ts";
import { integer, name, peerId, text } from "../schema.ts";
import { health } from "./cluster.ts";
import { jobId, jobState } from "./job.ts";

/** What may be watched; all when none is named. */
export const watchTopic = v.picklist(["members", "leader", "settings", "jobs"]);

export const clusterEvent = v.variant("kind", [
  v.object({ kind: v.literal("member"), peer: peerId, name, health }),
  v.object({ kind: v.literal("member-removed"), peer: peerId }),
  v.object({ kind: v.literal("leader"), leader: v.nullable(peerId), term: integer() }),
  /** `version` 0: deleted. */
  v.object({ kind: v.literal("setting"), key: text(256), version: integer(), index: integer() }),
  v.object({ kind: v.literal("job"), jobId, state: jobState, attempt: integer(), index: integer() }),
  /** The watcher was too slow and `count` events were dropped: read anew what matters. */
  v.object({ kind: v.literal("missed"), count: integer() }),
  /** Something that this version has no name for; kept so that a newer node can tell of it. */
  v.object({ kind: v.literal("other"), event: text(64), subject: text(512) }),
]);
export type ClusterEvent = v.InferOutput<typeof clusterEvent>;

export const watch = defineMethod({
  name: "watch",
  request: v.object({ topics: v.optional(v.pipe(v.array(watchTopic), v.maxLength(8))) }),
  item: clusterEvent,
  minRole: "read",
});
