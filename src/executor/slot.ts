import type { Pool } from "../exec/mod.ts";
import type { EnginePort, JobCode } from "./ports.ts";

/** Workers of one slot; its tasks run one after the other. */
export class Slot {
  readonly #engine: EnginePort;
  readonly #index: number;
  readonly #code: JobCode | null;
  #pool: Promise<Pool> | null = null;
  #last: Promise<void> = Promise.resolve();
  /** Workers were ended while they computed: what they held in the arena is not given back. */
  isTainted = false;

  constructor(engine: EnginePort, index: number, code: JobCode | null) {
    this.#engine = engine;
    this.#index = index;
    this.#code = code;
  }

  /** Begins when the slot's other tasks have ended. `body` must not reject. */
  run(body: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(body);
    return this.#last;
  }

  pool(): Promise<Pool> {
    const pool = (this.#pool ??= this.#engine.openPool(this.#index, this.#code));
    pool.catch(() => {
      if (this.#pool === pool) this.#pool = null;
    });
    return pool;
  }

  /** Ends the workers wherever they are; the next task gets new ones. */
  async replace(): Promise<void> {
    this.isTainted = true;
    await this.close();
  }

  async close(): Promise<void> {
    const pool = this.#pool;
    this.#pool = null;
    if (pool === null) return;
    try {
      await (await pool).close();
    } catch {
      // It never came to be.
    }
  }
}
