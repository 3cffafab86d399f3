import type { Entry, Message, RaftStatus } from "../../src/raft/mod.ts";

/** Messages and entries in one short line each, as the scenarios show them. */
export function printEntry(entry: Entry): string {
  const place = `${entry.index}/t${entry.term}`;
  switch (entry.kind) {
    case "noop":
      return `${place} noop`;
    case "data":
      return `${place} ${printData(entry.data)}`;
    case "membership":
      return `${place} members ${printMembers(entry.membership)}`;
  }
}

export function printMembers({ voters, learners }: RaftStatus["membership"]): string {
  return `${voters.join(",")}${learners.length > 0 ? `+${learners.join(",")}` : ""}`;
}

function printData(data: Uint8Array): string {
  if (data.length <= 20) return `"${new TextDecoder().decode(data)}"`;
  return `"${String.fromCharCode(data[0] ?? 0)}"*${data.length}`;
}

export function printMessage(message: Message): string {
  switch (message.kind) {
    case "voteRequest": {
      const kind = message.isPreVote ? "preVote?" : "vote?";
      const last = `last ${message.lastIndex}/t${message.lastTerm}`;
      return `${kind} t${message.term} ${last}${message.isTransfer ? " transfer" : ""}`;
    }
    case "voteResponse":
      return `${message.isPreVote ? "preVote" : "vote"} t${message.term} ${message.isGranted ? "yes" : "no"}`;
    case "append": {
      const entries = message.entries.map(printEntry);
      const list = entries.length > 6 ? `${entries[0]} … ${entries.at(-1)} (${entries.length})` : entries.join(", ");
      return `append t${message.term} after ${message.prevIndex}/t${message.prevTerm} [${list}] commit ${message.commit}`;
    }
    case "appendResponse":
      return message.isRejected
        ? `refused t${message.term} after ${message.index}, hint ${message.hintIndex}/t${message.hintTerm}`
        : `accepted t${message.term} to ${message.index}`;
    case "heartbeat":
      return `heartbeat t${message.term} commit ${message.commit} round ${message.round}`;
    case "heartbeatResponse":
      return `heard t${message.term} round ${message.round}`;
    case "snapshotChunk": {
      const { snapshot, offset, data } = message;
      const bytes = `bytes ${offset}..${offset + data.length} of ${snapshot.bytes}`;
      return `chunk t${message.term} of ${snapshot.index}/t${snapshot.term} ${bytes} members ${printMembers(snapshot.membership)}`;
    }
    case "snapshotResponse":
      return `chunk ${message.isRejected ? "refused" : "taken"} t${message.term} of ${message.index}, has ${message.offset}`;
    case "propose":
      return `propose ${printData(message.data)}`;
    case "proposeResponse": {
      const { outcome } = message;
      return outcome.kind === "accepted"
        ? `proposed at ${outcome.index}/t${outcome.term}`
        : `dropped ${outcome.reason}`;
    }
    case "read":
      return "read?";
    case "readResponse":
      return message.index === null ? "cannot read" : `read at ${message.index}`;
    case "timeoutNow":
      return `timeoutNow t${message.term}`;
  }
}

export function printStatus(status: RaftStatus): string {
  const { id, role, term, leader, firstIndex, lastIndex, commit, applied, snapshotIndex } = status;
  const lease = status.leaseLeftMs > 0 ? ` lease ${Math.round(status.leaseLeftMs)} ms` : "";
  const transfer = status.transferTo === null ? "" : ` transfers to ${status.transferTo}`;
  const log = `log ${firstIndex}..${lastIndex} commit ${commit} applied ${applied}`;
  const members = `members ${printMembers(status.membership)}${status.isMembershipPending ? " pending" : ""}`;
  const snapshot = snapshotIndex > 0 ? ` snapshot ${snapshotIndex}` : "";
  return `${id}: ${role} t${term} leader ${leader ?? "none"}, ${log}${snapshot}, ${members}${lease}${transfer}`;
}
