/** What goes wrong with executors alone, and leaders that go at the worst moment. */
import type { JobState } from "../../cluster/mod.ts";
import type { Seeded } from "../world/seeded.ts";
import type { World } from "../world/world.ts";
import type { JobCluster } from "./job_cluster.ts";

export interface ExecutorFaultOptions {
  /** Mean time from one to the next. */
  readonly everyMs: number;
  /** Share of the moves of jobs at which the leader goes. */
  readonly moveShare: number;
}

const CALLS_TO_CRASH_MAX = 30;
const PAUSE_MS = 4_000;
/** After a job has moved. */
const LEADER_MS = 30;

export class ExecutorFaults {
  readonly #jobs: JobCluster;
  readonly #world: World;
  readonly #random: Seeded;
  readonly #options: ExecutorFaultOptions;
  #isCalm = false;

  constructor(jobs: JobCluster, options: ExecutorFaultOptions) {
    this.#jobs = jobs;
    this.#options = options;
    this.#world = jobs.cluster.world;
    this.#random = this.#world.random.fork();
    this.#next();
  }

  calm(): void {
    this.#isCalm = true;
  }

  /** A job's move has been applied at the leader. */
  moved(leader: string, to: JobState, handOver: (leader: string, isCrash: boolean) => void): void {
    if (this.#isCalm || !this.#random.chance(this.#options.moveShare)) return;
    const isCrash = this.#random.chance(0.5);
    this.#world.after(this.#random.next() * LEADER_MS, () => {
      if (this.#isCalm) return;
      this.#jobs.cluster.note("world", `the leader goes as a job is ${to}`);
      handOver(leader, isCrash);
    });
  }

  #next(): void {
    this.#world.after(this.#random.exponential(this.#options.everyMs), () => {
      if (this.#isCalm) return;
      this.#hit();
      this.#next();
    });
  }

  #hit(): void {
    const victim = this.#random.pick(this.#jobs.processes);
    if (victim === undefined) return;
    const { host, pid } = victim;
    const dice = this.#random.next();
    if (dice < 0.5) {
      this.#jobs.cluster.note(host.name, `executor ${pid} is killed`);
      victim.kill();
    } else if (dice < 0.8) {
      const calls = this.#random.below(CALLS_TO_CRASH_MAX);
      this.#jobs.cluster.note(host.name, `executor ${pid} will be killed after ${calls} calls`);
      host.crashAfterCalls(calls);
    } else {
      const forMs = this.#random.exponential(PAUSE_MS);
      this.#jobs.cluster.note(host.name, `executor ${pid} is stopped for ${Math.round(forMs)} ms`);
      host.stall(forMs);
    }
  }
}
