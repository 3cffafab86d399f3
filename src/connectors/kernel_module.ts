import type { Arena } from "../arrow/mod.ts";
import { ModuleBuilder } from "../wasm/mod.ts";

/** Pages of the largest arena. */
const PAGES_MAX = 65_536;

/** Makes a module of what `build` adds and gives its exports, over the arena's memory. */
export function instantiateKernels<T>(memory: WebAssembly.Memory, build: (module: ModuleBuilder) => void): T {
  const module = new ModuleBuilder({
    memory: { initialPages: 1, maximumPages: PAGES_MAX, shared: true },
    names: false,
  });
  build(module);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { env: { memory } });
  // The caller builds what it names.
  return instance.exports as unknown as T;
}

/** Kernels that a thread makes once for each arena, when they are first needed. */
export function kernelsOnce<T>(build: (module: ModuleBuilder) => void): (arena: Arena) => T {
  const known = new WeakMap<WebAssembly.Memory, { readonly exports: T }>();
  return (arena) => {
    const made = known.get(arena.memory) ?? { exports: instantiateKernels<T>(arena.memory, build) };
    known.set(arena.memory, made);
    return made.exports;
  };
}
