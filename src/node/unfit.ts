import type { Message } from "../raft/mod.ts";

/** What would get through consensus and then stop every replica; null for all else. */
export function unfit(message: Message, format: number): string | null {
  // A newer format than the cluster's could not be applied everywhere.
  if (message.kind === "propose" && (message.data[0] ?? 0) > format) return "a command of a format that is not in use";
  return message.kind === "snapshotChunk" && message.snapshot.bytes === 0 ? "an empty snapshot" : null;
}
