import type { ApplyResult, ClusterState } from "../../cluster/mod.ts";
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
