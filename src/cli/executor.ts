import { runExecutor } from "../platform/mod.ts";

/** Serves the agent that has started this process, until that is gone. */
export function executor(): Promise<never> {
  return runExecutor();
}
