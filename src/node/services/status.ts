import { nodeDigest, nodeStatus, on, PROTOCOL_MAX, PROTOCOL_MIN, type Served } from "../../protocol/mod.ts";
import type { Role } from "../../raft/mod.ts";
import type { ServiceContext } from "./context.ts";

export function statusServices(context: ServiceContext): Served[] {
  const { replica, ports, options } = context;
  return [
    on(nodeStatus, () => {
      const { leader, term, commit, applied, membership, role } = replica.consensus.status();
      const { self } = ports.transport;
      const isLearner = membership.learners.includes(self);
      const isVoter = membership.voters.includes(self);
      return {
        peer: self,
        name: options.name,
        cluster: replica.state.cluster?.id ?? null,
        version: options.version,
        protocolMin: PROTOCOL_MIN,
        protocolMax: PROTOCOL_MAX,
        addresses: [...(options.announce ?? ports.transport.addresses)],
        state: context.phase(),
        raftRole: raftRoleOf(role, { isVoter, isLearner }),
        leader,
        term,
        commitIndex: commit,
        appliedIndex: applied,
        slots: options.slots,
        slotsUsed: context.jobs().slotsUsed,
        memoryBytes: options.memoryBytes,
        rssBytes: ports.residentBytes?.() ?? 0,
        uptimeMs: ports.clock.nowMs() - context.startedMs,
        wallMs: ports.clock.wallMs(),
      };
    }),
    on(nodeDigest, () => ({ appliedIndex: replica.state.appliedIndex, digest: replica.state.digest() })),
  ];
}

function raftRoleOf(
  role: Role,
  { isVoter, isLearner }: { readonly isVoter: boolean; readonly isLearner: boolean },
): "leader" | "follower" | "candidate" | "learner" | null {
  if (isVoter || role === "leader") return role === "preCandidate" ? "candidate" : role;
  return isLearner ? "learner" : null;
}
