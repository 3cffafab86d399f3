import { unreachable } from "../../kernel/mod.ts";
import type { Terminal } from "../../platform/mod.ts";
import type { JobCommandName } from "../commands_jobs.ts";
import type { ParsedCommand } from "../parse.ts";

/** Carries out a command about jobs of a cluster; gives the exit code. */
export async function runJobCommand(on: Terminal, name: JobCommandName, parsed: ParsedCommand): Promise<number> {
  switch (name) {
    case "submit":
      return (await import("./submit.ts")).submit(on, parsed);
    case "jobs list":
      return (await import("./list.ts")).listJobs(on, parsed);
    case "jobs show":
      return (await import("./show.ts")).showJob(on, parsed);
    case "jobs stop":
    case "jobs continue":
    case "jobs cancel":
    case "jobs restart":
    case "jobs delete":
      return (await import("./verbs.ts")).changeJobs(on, name, parsed);
    case "jobs logs":
      return (await import("./logs.ts")).showLogs(on, parsed);
    case "jobs wait":
      return (await import("./wait.ts")).waitForJobs(on, parsed);
    case "jobs watch":
      return (await import("./watch.ts")).watchJob(on, parsed);
    default:
      return unreachable(name);
  }
}
