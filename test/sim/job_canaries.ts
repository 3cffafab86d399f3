/** Bugs of jobs put in on purpose. Each must be found by the simulator, or the simulator sees nothing. */

import type { Schema } from "../../src/arrow/mod.ts";
import type { Disk } from "../../src/kernel/mod.ts";
import type { CallContext, Served } from "../../src/protocol/mod.ts";
import { type LogOptions, type PartitionKey, type PartitionLog, PartitionStore } from "../../src/shuffle/mod.ts";
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

/** Readers go on with what another attempt of their producer gives. */
class UnfencedStore extends PartitionStore {
  override create(key: PartitionKey, ...others: [Schema, Partial<LogOptions>?]): PartitionLog {
    return super.create(withoutAttempt(key), ...others);
  }

  override get(key: PartitionKey): PartitionLog | null {
    return super.get(withoutAttempt(key));
  }

  override await(key: PartitionKey, then: () => void): () => void {
    return super.await(withoutAttempt(key), then);
  }
}

function withoutAttempt(key: PartitionKey): PartitionKey {
  return { ...key, edge: key.edge.replace(/@.*/, "") };
}

/** Rows that a client goes on with lack a message. */
function lostMessage(): JobCanary {
  const wrapServed = (served: Served): Served => {
    if (served.kind !== "stream" || served.method.name !== "agent.rows") return served;
    async function* run(request: unknown, context: CallContext): AsyncGenerator<RowsItem> {
      const { fromRow } = request as { readonly fromRow: number };
      let lost = 0;
      for await (const item of served.run(request, context) as AsyncIterable<RowsItem>) {
        if (fromRow > 0 && lost === 0) lost = item.rowCount;
        else yield { ...item, fromRow: item.fromRow - lost };
      }
    }
    return { ...served, run };
  };
  return { wrapServed };
}

interface RowsItem {
  readonly fromRow: number;
  readonly rowCount: number;
}

/** What a canary is, and the weather in which it is found. */
export interface MinedRun {
  readonly make: () => JobCanary;
  readonly options?: Partial<JobScenarioOptions>;
  /** Default 1: where it is rare, those known to miss it are left out. */
  readonly fromSeed?: number;
}

/** Leaders are cut off for as long as it takes to have another one, and come back. */
const CUTS = {
  faults: { kinds: ["partition", "isolate", "one-way", "flap", "pause"], everyMs: 1_200, lastsMs: 2_500 },
  minutes: 0.3,
} as const;

/** Tasks are lost in the middle of what they read and give. */
const SLOW = {
  pace: { turnMs: 80, windowBytes: 1_024 },
  faults: { kinds: ["partition", "isolate", "flap", "pause", "crash"], everyMs: 2_000, lastsMs: 2_500 },
  minutes: 0.3,
} as const;

/** Agents that were given up come back with what they had, while their tasks run anew beside it. */
const SLOW_CUTS = {
  pace: { turnMs: 250, windowBytes: 256 },
  faults: { kinds: ["partition", "isolate"], everyMs: 2_500, lastsMs: 2_200 },
  kinds: ["group", "groupSink", "both", "sort", "join"],
  clients: 4,
  minutes: 0.3,
} as const;

export const JOB_CANARIES: Readonly<Record<string, MinedRun>> = {
  "an agent accepts orders of an older term": { make: anyTerm, options: CUTS },
  "a sink commits without waiting for the order": { make: commitAtOnce },
  "a reader takes what another attempt of its producer gives": {
    make: () => ({ createStore: (options) => new UnfencedStore(options) }),
    options: SLOW_CUTS,
    fromSeed: 50,
  },
  "rows that a client goes on with lack a message": {
    make: lostMessage,
    options: { ...SLOW, kinds: ["filter", "map"] },
  },
};
