import type { Arena } from "../../arrow/mod.ts";
import {
  type GatherExports,
  generateGather,
  generateSort,
  type SortExports,
  type SortKeyShape,
} from "../../codegen/mod.ts";

/** Modules of different sorts that a thread keeps. */
const MODULES_MAX = 64;

/** Code of one thread for one arena. Modules depend only on the keys' types and forms, so they serve many jobs. */
class SortCode {
  readonly #arena: Arena;
  readonly #sorts = new Map<string, SortExports>();
  #gather: GatherExports | null = null;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  sort(keys: readonly SortKeyShape[]): SortExports {
    const name = JSON.stringify(keys);
    const known = this.#sorts.get(name);
    if (known !== undefined) return known;
    if (this.#sorts.size >= MODULES_MAX) this.#sorts.clear();
    // A generated module exports what its interface says.
    const made = this.#instance(generateSort(keys).bytes) as unknown as SortExports;
    this.#sorts.set(name, made);
    return made;
  }

  gather(): GatherExports {
    this.#gather ??= this.#instance(generateGather()) as unknown as GatherExports;
    return this.#gather;
  }

  #instance(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Exports {
    const env = { memory: this.#arena.memory };
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env }).exports;
  }
}

const codes = new WeakMap<Arena, SortCode>();

export function sortCode(arena: Arena): SortCode {
  const known = codes.get(arena) ?? new SortCode(arena);
  codes.set(arena, known);
  return known;
}
