/** Wakes those who wait for something to change. */
export class Signal {
  #waiting: (() => void)[] = [];

  emit(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Resolves at the next change, or when nobody waits any more. */
  next(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = () => {
        signal?.removeEventListener("abort", done);
        this.#waiting = this.#waiting.filter((other) => other !== done);
        resolve();
      };
      this.#waiting.push(done);
      signal?.addEventListener("abort", done);
    });
  }
}
