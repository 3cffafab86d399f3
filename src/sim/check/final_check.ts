/** What must hold when all faults are over and everyone had time: the cluster is whole, agrees, and forgot nothing. */
import type { BlobHash } from "../../kernel/mod.ts";
import type { SimNode } from "../nodes/sim_node.ts";
import type { LogCheck } from "./log_check.ts";

/** A host that is busy for longer is stopped. */
const LAG_MS_MAX = 50;

/** Why the cluster is not whole yet; null when it is. Cheap enough to ask often. */
export function unrest(nodes: readonly SimNode[]): string | null {
  const applied = new Set<number>();
  const peers = new Set(nodes.map(({ peer }) => peer));
  let leaders = 0;
  for (const { name, node, host } of nodes) {
    if (host.lagMs > LAG_MS_MAX) return `${name} is stopped`;
    if (node === null) return `${name} is down`;
    if (node.phase !== "ready") return `${name} is ${node.phase}`;
    const { role, applied: index, commit } = node.replica.consensus.status();
    if (role === "leader") leaders++;
    if (index !== commit) return `${name} has applied ${index} of ${commit}`;
    applied.add(index);
    const members = node.replica.state.members;
    if (members.size !== peers.size) return `${name} knows ${members.size} members of ${peers.size}`;
    for (const { peer, health, record } of node.members()) {
      if (peers.has(peer) !== (health === "alive")) return `${name} thinks that ${record.name} is ${health}`;
    }
    if (node.members().filter(({ health }) => health === "alive").length < peers.size - 1)
      return `${name} misses someone`;
  }
  if (leaders !== 1) return `there are ${leaders} leaders`;
  return applied.size === 1 ? null : `nodes have applied up to ${[...applied].join(", ")}`;
}

/** Compares all nodes with each other and with what clients were told. */
export function checkFinal(
  nodes: readonly SimNode[],
  log: LogCheck,
  told: {
    readonly acknowledged: readonly string[];
    readonly jobs: readonly string[];
    readonly blobs: readonly BlobHash[];
  },
): void {
  for (const sim of nodes) {
    const { name, node } = sim;
    if (node === null) continue;
    const { state } = node.replica;
    log.digest(name, state.appliedIndex, state.digest());
    if (state.appliedIndex < log.lastIndex) {
      log.fail("acknowledged-lost", `${name} ends at ${state.appliedIndex}, but ${log.lastIndex} was applied before`);
    }
    for (const jobId of told.jobs) if (!state.jobs.has(jobId)) log.fail("job-lost", `${name} has no job ${jobId}`);
    for (const hash of told.blobs) if (!state.blobs.has(hash)) log.fail("blob-lost", `${name} has no blob ${hash}`);
    checkAudit(sim, log, told.acknowledged);
  }
}

/** Every command that was acknowledged is in the audit of every node, as far back as that goes. */
function checkAudit({ name, node }: SimNode, log: LogCheck, acknowledged: readonly string[]): void {
  const entries = node?.replica.state.audit({ limit: Number.POSITIVE_INFINITY }) ?? [];
  const oldest = entries.at(-1)?.index ?? 0;
  const done = new Set(entries.filter(({ outcome }) => outcome === "ok").map(({ index }) => index));
  for (const command of acknowledged) {
    const index = log.find(command)?.index ?? 0;
    if (index >= oldest && !done.has(index)) log.fail("acknowledged-lost", `${name} knows nothing of ${command}`);
  }
}
