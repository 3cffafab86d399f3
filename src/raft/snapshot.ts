/**
 * Snapshots in chunks, for followers that need what is compacted.
 *
 * A few chunks are under way at a time; the follower answers each with how much it has in a row. After a loss, a crash of
 * the follower or a refused chunk the leader goes on from there. The follower keeps chunks in memory until all are there,
 * then installs the whole at once, or none of it if it has the entries by then. When the leader compacts again
 * meanwhile, it begins with the newer snapshot.
 */
import { invariant, joinBytes, type PeerId } from "../kernel/mod.ts";
import type { Core } from "./core.ts";
import { SNAPSHOT_BYTES_MAX, SNAPSHOT_CHUNK_BYTES_MAX, SNAPSHOT_CHUNKS_INFLIGHT_MAX } from "./limits.ts";
import type { SnapshotChunk, SnapshotMeta, SnapshotResponse } from "./messages.ts";
import type { Progress } from "./progress.ts";

export function offerSnapshot(core: Core, progress: Progress): void {
  const meta = core.log.snapshot;
  invariant(meta !== null, "the log is compacted without a snapshot");
  progress.startSnapshot(meta);
}

/** Sends the chunks that may be under way now; nothing to a follower that is silent. */
export function pumpSnapshot(core: Core, peer: PeerId, progress: Progress): void {
  if (progress.transfer !== null && progress.transfer.meta !== core.log.snapshot) offerSnapshot(core, progress);
  const { transfer } = progress;
  if (transfer === null || core.nowMs - progress.heardMs > core.options.electionTimeoutMs) return;
  const { meta } = transfer;
  const windowEnd = transfer.acked + SNAPSHOT_CHUNKS_INFLIGHT_MAX * SNAPSHOT_CHUNK_BYTES_MAX;
  while (!transfer.isEndSent && transfer.sent < windowEnd) {
    const data = core.log.snapshotBytes(transfer.sent, SNAPSHOT_CHUNK_BYTES_MAX);
    core.send(peer, { kind: "snapshotChunk", term: core.term, snapshot: meta, offset: transfer.sent, data });
    transfer.sent += data.length;
    transfer.isEndSent = transfer.sent >= meta.bytes;
    invariant(data.length > 0 || transfer.isEndSent, "the snapshot is shorter than its record says");
  }
}

/** Called once a heartbeat: chunks that were not answered since the last one go again. */
export function resendLost({ transfer }: Progress): void {
  if (transfer === null) return;
  if (transfer.acked === transfer.ackedAtBeat) goOnFrom(transfer, transfer.acked);
  transfer.ackedAtBeat = transfer.acked;
}

function goOnFrom(transfer: NonNullable<Progress["transfer"]>, offset: number): void {
  transfer.acked = offset;
  transfer.sent = offset;
  transfer.isEndSent = false;
}

export function onSnapshotResponse(core: Core, from: PeerId, response: SnapshotResponse): void {
  const progress = core.progressOf(from);
  if (progress === null) return;
  progress.heardMs = core.nowMs;
  const { transfer } = progress;
  if (transfer === null || transfer.meta.index !== response.index || response.offset > transfer.sent) return;
  if (response.isRejected && response.offset < transfer.acked) goOnFrom(transfer, response.offset);
  else transfer.acked = Math.max(transfer.acked, response.offset);
}

export function onSnapshotChunk(core: Core, from: PeerId, chunk: SnapshotChunk): void {
  const { snapshot: meta, offset, data } = chunk;
  core.heardLeader(from);
  if (hasAlready(core, meta)) {
    const index = Math.max(core.log.commit, meta.index);
    if (index > core.log.commit) core.log.commitTo(index);
    core.arriving = null;
    return accept(core, from, index);
  }
  const arriving = arrivingOf(core, from, meta);
  const isNext = offset === arriving.received && offset + data.length <= meta.bytes;
  if (isNext) {
    arriving.parts.push(data);
    arriving.received += data.length;
  }
  const isRejected = !isNext && offset > arriving.received;
  const { term } = core;
  core.send(from, { kind: "snapshotResponse", term, index: meta.index, offset: arriving.received, isRejected });
  if (!isNext || arriving.received < meta.bytes) return;
  core.arriving = null;
  core.log.install({ meta, data: joinBytes(arriving.parts) });
  core.members.reset(meta.index, meta.membership);
  accept(core, from, meta.index);
}

/** The log holds what the snapshot covers. */
function hasAlready(core: Core, { index, term }: SnapshotMeta): boolean {
  return index <= core.log.commit || core.log.matches(index, term);
}

function arrivingOf(core: Core, from: PeerId, meta: SnapshotMeta): NonNullable<Core["arriving"]> {
  const { arriving } = core;
  const isSame =
    arriving?.from === from &&
    arriving.meta.index === meta.index &&
    arriving.meta.term === meta.term &&
    arriving.meta.bytes === meta.bytes;
  if (isSame && arriving !== null) return arriving;
  invariant(meta.bytes <= SNAPSHOT_BYTES_MAX, "a snapshot above the limit");
  core.arriving = { from, meta, parts: [], received: 0 };
  return core.arriving;
}

function accept(core: Core, leader: PeerId, index: number): void {
  const { term } = core;
  core.send(leader, { kind: "appendResponse", term, index, isRejected: false, hintIndex: 0, hintTerm: 0 });
}
