/** Shapes that several methods share. */
import * as v from "valibot";
import { CREDENTIAL_ROLES } from "../rpc/method.ts";
import { durationMs, integer, name, peerId, text } from "../schema.ts";

/** Roles that a credential can have. */
export const credentialRole = v.picklist(CREDENTIAL_ROLES);

/** Cluster-wide commands return where they stand in the log. */
export const committed = v.object({ index: integer() });

/**
 * Names a change so that a retry of it, also through another node, is applied once. `session` is random and the
 * caller's own; `sequence` counts up by one; answers up to `answeredTo` have arrived; `since` is an index that was known
 * as applied when the session began.
 */
export const requestId = v.object({
  session: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{8,64}$/, "not a session id")),
  sequence: integer(1),
  answeredTo: integer(),
  since: integer(),
});

/** "leader": linearisable, confirmed by a majority. "stale": what the asked node has applied, at once. */
export const consistency = v.picklist(["leader", "stale"]);

/** How far what was read can be behind. */
export const freshness = v.object({
  /** Who read. */
  node: peerId,
  appliedIndex: integer(),
  isLinearizable: v.boolean(),
  /** Since when the reading node knows of no leader that it is level with; null when it never was. 0 when linearisable. */
  staleMs: v.nullable(durationMs),
});

export const reason = text(2_000);

/** Who asks, also when a node passes it on. */
export const actor = v.object({ peer: peerId, name, role: credentialRole });

export const PAGE_COUNT_MAX = 1_000;

/** Newest first, `before` from the last page. */
export function page() {
  return { limit: v.optional(integer(1, PAGE_COUNT_MAX)), beforeIndex: v.optional(integer()) };
}

export const TOKEN_LENGTH_MAX = 1_024;
