import { Arena } from "../../arrow/mod.ts";

/**
 * Arenas of processes that have ended serve those that begin: each reserves 4 GiB of addresses, and a run starts hundreds.
 * One that is taken is as new, whatever its last process left in it.
 */
export class Arenas {
  readonly #limitBytes: number;
  readonly #shared: Arena | null;
  readonly #free: Arena[] = [];
  /** Control words of an arena without blocks. */
  #fresh: Uint8Array | null = null;

  /** `isShared`: all processes use one, as they may where thousands are up; what those that die held stays in it. */
  constructor(limitBytes: number, { isShared = false }: { readonly isShared?: boolean } = {}) {
    this.#limitBytes = limitBytes;
    this.#shared = isShared ? Arena.create({ limitBytes }) : null;
  }

  take(): Arena {
    if (this.#shared !== null) return this.#shared;
    const arena = this.#free.pop();
    if (arena !== undefined) return arena;
    const made = Arena.create({ limitBytes: this.#limitBytes });
    this.#fresh ??= made.u8.slice(0, made.touchedBytes());
    return made;
  }

  /** Nobody uses it any more. */
  giveBack(arena: Arena): void {
    if (this.#fresh === null || this.#shared !== null) return;
    arena.u8.fill(0, 0, arena.touchedBytes());
    arena.u8.set(this.#fresh);
    this.#free.push(arena);
  }
}
