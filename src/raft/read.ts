/**
 * Linearizable reads without a log entry (Ongaro 2014, 6.4).
 *
 * The leader notes its commit index, makes sure that no newer leader was there when the read came, and the read may be
 * served anywhere once that index is applied. Sure are: a valid lease, or a heartbeat round that started after the
 * read and that a majority answered. The lease ends by the clock, so a process that was stopped finds it expired.
 */
import type { PeerId } from "../kernel/mod.ts";
import type { Core, Leading } from "./core.ts";
import { READS_MAX } from "./limits.ts";
import type { ReadRequest, ReadResponse } from "./messages.ts";

/** Milliseconds for which no other leader can be; 0 or less: not known. */
export function leaseLeftMs(core: Core, leading: Leading): number {
  if (core.isOnlyVoter) return Number.POSITIVE_INFINITY;
  return leading.isLeaseBroken ? 0 : leading.leaseEndMs - core.nowMs;
}

/** Every read is answered in some Ready, "failed" where it cannot be. */
export function read(core: Core, id: number): void {
  const fail = (reason: "no-leader" | "full"): void => {
    core.failedReads.push({ kind: "failed", read: id, reason });
  };
  if (core.confirmedReads.length >= READS_MAX) return fail("full");
  if (core.leading !== null) return enqueue(core, core.leading, { peer: null, read: id });
  if (core.leader === null) return fail("no-leader");
  if (core.askedReads.size >= READS_MAX) return fail("full");
  const name = core.name();
  core.askedReads.set(name, { read: id, deadlineMs: core.nowMs + core.options.electionTimeoutMs });
  core.send(core.leader, { kind: "read", term: 0, read: name });
}

export function onRead(core: Core, from: PeerId, request: ReadRequest): void {
  if (core.leading !== null) enqueue(core, core.leading, { peer: from, read: request.read });
  else core.send(from, { kind: "readResponse", term: 0, read: request.read, index: null });
}

function enqueue(core: Core, leading: Leading, { peer, read: id }: { peer: PeerId | null; read: number }): void {
  const isOpen = core.log.commit >= leading.noopIndex;
  if (isOpen && leaseLeftMs(core, leading) > 0) return confirm(core, { peer, read: id }, core.log.commit);
  if (leading.reads.length < READS_MAX) {
    leading.reads.push({ peer, read: id, round: leading.round + 1 });
    leading.isRoundWanted = true;
  } else if (peer === null) core.failedReads.push({ kind: "failed", read: id, reason: "full" });
  else core.send(peer, { kind: "readResponse", term: 0, read: id, index: null });
}

function confirm(core: Core, { peer, read: id }: { peer: PeerId | null; read: number }, index: number): void {
  if (peer === null) core.confirmedReads.push({ read: id, index });
  else core.send(peer, { kind: "readResponse", term: 0, read: id, index });
}

/** Confirms the waiting reads whose round a majority answered, once this term has a committed entry. */
export function answerReads(core: Core, leading: Leading): void {
  if (core.log.commit < leading.noopIndex || leading.reads.length === 0) return;
  const values = core.members.current.voters.map((voter) =>
    voter === core.id ? leading.round : (leading.peers.get(voter)?.round ?? 0),
  );
  const round = core.isOnlyVoter ? Number.POSITIVE_INFINITY : core.rules.majorityValue(values);
  const waiting = leading.reads.findIndex((one) => one.round > round);
  const done = leading.reads.splice(0, waiting === -1 ? leading.reads.length : waiting);
  for (const one of done) confirm(core, one, core.log.commit);
}

export function onReadResponse(core: Core, response: ReadResponse): void {
  const asked = core.askedReads.get(response.read);
  if (asked === undefined) return;
  core.askedReads.delete(response.read);
  if (response.index === null) core.failedReads.push({ kind: "failed", read: asked.read, reason: "lost" });
  else core.confirmedReads.push({ read: asked.read, index: response.index });
}

/** Reads whose index is applied once entries up to `applied` are. */
export function takeConfirmed(core: Core, applied: number): { readonly kind: "ready"; readonly read: number }[] {
  const ready = core.confirmedReads.filter((one) => one.index <= applied);
  if (ready.length > 0) core.confirmedReads = core.confirmedReads.filter((one) => one.index > applied);
  return ready.map((one) => ({ kind: "ready", read: one.read }));
}
