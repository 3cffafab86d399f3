import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Job } from "../../../src/client/mod.ts";
import type { NodeProcess } from "../../cluster_processes/harness.ts";
import { JobsCluster } from "./jobs_cluster.ts";
import { Hold, type Phase } from "./phases.ts";

const preload = fileURLToPath(new URL("./hold.ts", import.meta.url));

/** Three nodes whose executors wait at a moment of a job until they are let go. */
export class HeldCluster {
  readonly cluster: JobsCluster;
  readonly #hold: Hold;

  private constructor(cluster: JobsCluster, hold: Hold) {
    this.cluster = cluster;
    this.#hold = hold;
  }

  static async found(options: { readonly slots: number }): Promise<HeldCluster> {
    const hold = new Hold(mkdtempSync(join(tmpdir(), "sage-hold-")));
    const env = { BUN_OPTIONS: `--preload ${preload}`, SAGE_TEST_HOLD: hold.directory };
    return new HeldCluster(await JobsCluster.found({ nodes: 3, slots: options.slots, env }), hold);
  }

  holdAt(moment: Phase): void {
    this.#hold.at(moment);
  }

  /** An executor that waits, and its node. */
  async waiting(job: Job): Promise<{ readonly pid: number; readonly node: NodeProcess }> {
    const reached = await this.#hold.reached(job, null);
    const [pid] = reached?.pids ?? [];
    const node = this.cluster.nodes.find((each) => this.cluster.executorsOf(each).some((found) => found.pid === pid));
    if (pid === undefined || node === undefined) throw new Error(`nobody was held: ${reached?.text}`);
    return { pid, node };
  }

  letGo(): void {
    this.#hold.release();
  }

  /** Gives what is left of the cluster, as `JobsCluster.end`. */
  async end(): Promise<readonly string[]> {
    this.#hold.release();
    rmSync(this.#hold.directory, { recursive: true });
    return this.cluster.end();
  }
}
