import { Arena } from "../../arrow/mod.ts";

/**
 * Arenas of processes that have ended serve those that begin: each reserves 4 GiB of addresses, and a run starts hundreds.
 * One that is taken is as new, whatever its last process left in it.
 */
export class Arenas {
  readonly #limitBytes: number;
  readonly #free: Arena[] = [];
  /** Control words of an arena without blocks. */
  #fresh: Uint8Array | null = null;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  take(): Arena {
    const arena = this.#free.pop();
    if (arena !== undefined) return arena;
    const made = Arena.create({ limitBytes: this.#limitBytes });
    this.#fresh ??= made.u8.slice(0, made.touchedBytes());
    return made;
  }

  /** Nobody uses it any more. */
  giveBack(arena: Arena): void {
    if (this.#fresh === null) return;
    arena.u8.fill(0, 0, arena.touchedBytes());
    arena.u8.set(this.#fresh);
    this.#free.push(arena);
  }
}
