import type { ClusterClient } from "../../src/client/mod.ts";
import { settingSet } from "../../src/protocol/mod.ts";

/** Commits one small entry after the other and notes the longest time from one to the next. */
export class Pulse {
  readonly #client: ClusterClient;
  readonly #done: Promise<void>;
  #isStopped = false;
  #lastMs = performance.now();
  #gapMs = 0;
  readonly failures: string[] = [];
  count = 0;

  constructor(client: ClusterClient) {
    this.#client = client;
    this.#done = this.#run();
  }

  /** The longest gap, in milliseconds. */
  async stop(): Promise<number> {
    this.#isStopped = true;
    await this.#done;
    await this.#client.close();
    return Math.round(this.#gapMs);
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      try {
        const value = String(this.count);
        await this.#client.call(settingSet, { key: "pulse", value, expectedVersion: null }, { timeoutMs: 10_000 });
        this.count++;
      } catch (error) {
        this.failures.push(String(error));
      }
      const nowMs = performance.now();
      if (this.count > 1) this.#gapMs = Math.max(this.#gapMs, nowMs - this.#lastMs);
      this.#lastMs = nowMs;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
