/** wabt as oracle: what it makes of our text must be, byte for byte, what we encode. */
import { expect } from "vitest";
import wabtFactory from "wabt";
import * as wasm from "../../src/wasm/mod.ts";
import { ModuleBuilder, type ModuleOptions } from "../../src/wasm/mod.ts";

const FEATURES = {
  threads: true,
  simd: true,
  bulk_memory: true,
  sign_extension: true,
  sat_float_to_int: true,
  mutable_globals: true,
};
const wabt = await wabtFactory();

export const SHARED_MEMORY = { initialPages: 1, maximumPages: 16, shared: true } as const;

export function sharedMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 1, maximum: 16, shared: true });
}

/** What wabt assembles from WebAssembly text, without names. (Its `validate` knows no feature flags, so engines validate.) */
export function assemble(text: string): Uint8Array {
  const module = wabt.parseWat("module.wat", text, FEATURES);
  try {
    return module.toBinary({ canonicalize_lebs: true, write_debug_names: false }).buffer.slice();
  } finally {
    module.destroy();
  }
}

/** The text of a binary module as wabt reads it, with the names of its name section. */
export function disassemble(bytes: Uint8Array): string {
  const module = wabt.readWasm(bytes, { readDebugNames: true, ...FEATURES });
  try {
    module.applyNames();
    return module.toText({ foldExprs: false, inlineExport: false });
  } finally {
    module.destroy();
  }
}

/** Builds a module twice, with and without names: both must be valid, and the second exactly wabt's. Gives the first. */
export function verified(build: (module: ModuleBuilder) => void, options: ModuleOptions = { memory: SHARED_MEMORY }) {
  const named = new ModuleBuilder(options);
  build(named);
  const plain = new ModuleBuilder({ ...options, names: false });
  build(plain);
  expect(WebAssembly.validate(named.bytes())).toBe(true);
  expect(WebAssembly.validate(plain.bytes())).toBe(true);
  expect(hex(plain.bytes())).toBe(hex(assemble(plain.text())));
  return named;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

// biome-ignore lint/suspicious/noExplicitAny: tests call exports whose types only the module knows
export type Exports = Record<string, any>;

/** An instance of the module over a fresh shared memory. */
export function instantiate(
  module: ModuleBuilder,
  imports: WebAssembly.ModuleImports = {},
): { exports: Exports; memory: WebAssembly.Memory } {
  const memory = sharedMemory();
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { env: { ...imports, memory } });
  return { exports: instance.exports as Exports, memory };
}

/** The assembler function of an opcode, found as users would: by namespace and name. */
// biome-ignore lint/suspicious/noExplicitAny: opcodes are called from a table here
export function assemblerFunction(opcode: string): (...args: any[]) => wasm.Expr<wasm.Type> {
  if (opcode === "atomic.fence") return wasm.atomic_fence;
  const [namespace = "", ...rest] = opcode.split(".");
  const members = (wasm as unknown as Record<string, Record<string, (...args: unknown[]) => wasm.Expr<wasm.Type>>>)[
    namespace
  ];
  const found = members?.[rest.join("_")];
  if (found === undefined) throw new Error(`no assembler function for ${opcode}`);
  return found;
}
