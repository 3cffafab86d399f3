/** Moments in the life of a job. Executors wait in them (`hold.ts`) until the cluster has been hit. */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Job, JobProgress } from "../../../src/client/mod.ts";
import { pause } from "../../cluster_processes/harness.ts";

export const PHASES = [
  "before deploy",
  "in shuffle",
  "in sort",
  "in the last second",
  "before the commit",
  "after the commit",
  "at any time",
] as const;
export type Phase = (typeof PHASES)[number];

/** Who waits at a moment, and what the job was at. */
interface Reached {
  readonly text: string;
  /** Processes of the executors that wait. */
  readonly pids: readonly number[];
}

const ENDED = new Set(["finished", "failed", "cancelled", "stopped"]);
const LOOK_MS = 20;
/** Others may come to the moment as well. */
const GATHER_MS = 100;

/** The directory through which executors are told where to wait. */
export class Hold {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  /** From now on executors wait there; at no time nobody does. */
  at(phase: Phase): void {
    this.release();
    if (phase !== "at any time") writeFileSync(join(this.directory, "moment"), phase);
  }

  /** All go on. */
  release(): void {
    for (const name of readdirSync(this.directory)) rmSync(join(this.directory, name), { force: true });
  }

  get pids(): readonly number[] {
    const names = readdirSync(this.directory).filter((name) => name.startsWith("held-"));
    return names.map((name) => Number(name.slice("held-".length))).filter((pid) => existsSync(`/proc/${pid}`));
  }

  /** Waits until somebody waits, or so long; null when the job ended before. */
  async reached(job: Job, afterMs: number | null): Promise<Reached | null> {
    if (afterMs !== null) await pause(afterMs);
    for (;;) {
      const progress = await job.status();
      if (afterMs !== null) return ENDED.has(progress.state) ? null : { text: stateText(progress), pids: [] };
      if (this.pids.length > 0) {
        await pause(GATHER_MS);
        return { text: stateText(progress), pids: this.pids };
      }
      if (ENDED.has(progress.state)) return null;
      await pause(LOOK_MS);
    }
  }
}

function stateText({ state, stages }: JobProgress): string {
  const busy = stages.filter(({ running }) => running > 0).map(({ label, running }) => `${running} × ${label}`);
  return busy.length === 0 ? state : `${state}: ${busy.join(", ")}`;
}
