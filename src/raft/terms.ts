/** The one rule about terms: the newer one wins, and who is behind is told. */
import { invariant, type PeerId } from "../kernel/mod.ts";
import { becomeFollower, type Core } from "./core.ts";
import type { Message } from "./messages.ts";

/** Messages that belong to a term, but for requests to vote: those are judged first. */
export type InTerm = Exclude<
  Message,
  { kind: "propose" | "proposeResponse" | "read" | "readResponse" | "voteRequest" }
>;

/** Brings sender and receiver to one term. False when the message is of the past. */
export function meetTerm(core: Core, from: PeerId, message: InTerm): boolean {
  const isFromLeader = message.kind === "append" || message.kind === "heartbeat" || message.kind === "snapshotChunk";
  const isPreVoteGranted = message.kind === "voteResponse" && message.isPreVote && message.isGranted;
  if (message.term < core.term) {
    if (isFromLeader) sendTerm(core, from);
    return false;
  }
  if (!isPreVoteGranted && core.rules.yields(core, message.term)) {
    becomeFollower(core, message.term, isFromLeader ? from : null);
  } else if (isFromLeader && core.role !== "follower") {
    invariant(core.role !== "leader" || message.term > core.term, "two leaders in one term");
    becomeFollower(core, message.term, from);
  }
  return true;
}

/** A leader of the past learns that it is one. */
function sendTerm(core: Core, to: PeerId): void {
  const { term } = core;
  core.send(to, { kind: "appendResponse", term, index: 0, isRejected: true, hintIndex: 0, hintTerm: 0 });
}
