import type { ApplyResult, ClusterState, MemberView } from "../../cluster/mod.ts";
import type { PeerId } from "../../kernel/mod.ts";
import type { ClusterEvent } from "../../protocol/mod.ts";

/** What watchers of the cluster are told of an applied command. */
export function eventsOf(state: ClusterState, { command, index }: ApplyResult): ClusterEvent[] {
  switch (command?.kind) {
    case "setting.set":
    case "setting.delete": {
      const { key } = command;
      return [{ kind: "setting", key, version: state.settings.get(key)?.version ?? 0, index }];
    }
    case "job.create":
    case "job.move": {
      const { jobId } = command;
      const job = state.jobs.get(jobId);
      return job === undefined ? [] : [{ kind: "job", jobId, state: job.state, attempt: job.attempt, index }];
    }
    default:
      return [];
  }
}

/** What they are told of a member; null: it was forgotten. */
export function memberEvent(peer: PeerId, member: MemberView | null): ClusterEvent {
  if (member === null) return { kind: "member-removed", peer };
  return { kind: "member", peer, name: member.record.name, health: member.health };
}
