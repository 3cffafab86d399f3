import type { Arena } from "../../arrow/mod.ts";
import { ModuleBuilder } from "../../wasm/mod.ts";
import { type HashExports, hashKernels } from "./hash_kernels.ts";
import { type ScatterExports, scatterKernels } from "./scatter_kernels.ts";
import { type SortExports, sortKernels } from "./sort_kernels.ts";

export type PartitionKernels = HashExports & SortExports & ScatterExports;

const PAGES_MAX = 65_536;
let compiled: WebAssembly.Module | null = null;
const instances = new WeakMap<WebAssembly.Memory, PartitionKernels>();

/** The kernels over the arena's memory; compiled once a thread. */
export function partitionKernels(arena: Arena): PartitionKernels {
  const known = instances.get(arena.memory);
  if (known !== undefined) return known;
  compiled ??= compile();
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory: arena.memory } });
  // The module exports what the interfaces name.
  const kernels = exports as unknown as PartitionKernels;
  instances.set(arena.memory, kernels);
  return kernels;
}

function compile(): WebAssembly.Module {
  const memory = { initialPages: 1, maximumPages: PAGES_MAX, shared: true };
  const module = new ModuleBuilder({ memory, names: false });
  hashKernels(module);
  sortKernels(module);
  scatterKernels(module);
  return new WebAssembly.Module(module.bytes());
}
