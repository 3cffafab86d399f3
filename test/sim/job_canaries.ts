/** Bugs of jobs put in on purpose. Each must be found by the simulator, or the simulator sees nothing. */

import type { Disk } from "../../src/kernel/mod.ts";
import type { Served } from "../../src/protocol/mod.ts";
import type { JobCanary, JobScenarioOptions } from "../../src/sim/mod.ts";

/** The agent takes orders of any term for ones of the newest. */
function anyTerm(): JobCanary {
  let newest = 0;
  const wrapServed = (served: Served): Served => {
    if (served.kind !== "call") return served;
    const run: typeof served.run = (request, context) => {
      const order = request as { readonly term?: number };
      if (order.term === undefined) return served.run(request, context);
      newest = Math.max(newest, order.term);
      return served.run({ ...order, term: newest }, context);
    };
    return { ...served, run };
  };
  return { wrapServed };
}

/** A sink's file stands as soon as it is whole. */
function commitAtOnce(): JobCanary {
  const wrapDisk = (disk: Disk): Disk => ({
    ...disk,
    openWrite: (path) => {
      const file = disk.openWrite(path);
      const name = /^(.*\/)\.(.*)\.[0-9a-f]{32}-[-0-9]+\.tmp$/.exec(path);
      if (name === null) return file;
      const close = () => {
        file.close();
        if (disk.stat(path) !== null) disk.rename(path, `${name[1]}${name[2]}`);
      };
      return { ...file, close };
    },
    rename: (from, to) => {
      if (disk.stat(from) !== null) disk.rename(from, to);
    },
  });
  return { wrapDisk };
}

/** What a canary is, and the weather in which it is found. */
export interface MinedRun {
  readonly make: () => JobCanary;
  readonly options?: Partial<JobScenarioOptions>;
}

/** Leaders are cut off for as long as it takes to have another one, and come back. */
const CUTS = {
  faults: { kinds: ["partition", "isolate", "one-way", "flap", "pause"], everyMs: 1_200, lastsMs: 2_500 },
  minutes: 0.3,
} as const;

export const JOB_CANARIES: Readonly<Record<string, MinedRun>> = {
  "an agent accepts orders of an older term": { make: anyTerm, options: CUTS },
  "a sink commits without waiting for the order": { make: commitAtOnce },
};
