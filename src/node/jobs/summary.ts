import type { JobRecord } from "../../cluster/mod.ts";
import { shownReason } from "../../jobs/mod.ts";

/** A job as lists show it. */
export function summaryOf({ jobId, number, name, state, attempt, createdBy, createdAtMs, history }: JobRecord) {
  const last = history.at(-1);
  const moved = { movedAtMs: last?.atMs ?? createdAtMs, reason: shownReason(last?.reason ?? "") };
  return { jobId, number, name, state, attempt, createdBy, createdAtMs, ...moved };
}
