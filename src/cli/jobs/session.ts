/** What commands about jobs share: the jobs of the cluster that the credentials name. */
import { Jobs } from "../../client/mod.ts";
import { createKeys, systemClock, systemRandom, type Terminal } from "../../platform/mod.ts";
import { type AskContext, type SessionOptions, withClient } from "../cluster/mod.ts";
import type { ParsedCommand } from "../parse.ts";

export interface JobsContext extends AskContext {
  readonly jobs: Jobs;
}

export async function withJobs<T>(
  on: Terminal,
  parsed: ParsedCommand,
  ask: (context: JobsContext) => Promise<T>,
  options: SessionOptions = {},
): Promise<T> {
  const ports = { clock: systemClock, random: systemRandom, keys: await createKeys() };
  return withClient(on, parsed, (context) => ask({ ...context, jobs: new Jobs(context.client, ports) }), options);
}
