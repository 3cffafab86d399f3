/** Calls a kernel directly, with a page of memory to work in. */
import {
  type Kernel,
  ModuleBuilder,
  type NamedParams,
  type Operand,
  type Results,
  type Type,
} from "../../../src/wasm/mod.ts";

export interface Callable {
  readonly call: (...args: (number | bigint)[]) => number | bigint;
  readonly view: DataView;
}

export function instantiate<P extends NamedParams, R extends Results>(kernel: Kernel<P, R>): Callable {
  const module = new ModuleBuilder({ memory: { initialPages: 1, maximumPages: 1, shared: true } });
  const { params, results } = signatureOf(kernel);
  const f = module.function("run", { params, results, export: true });
  const args = Object.keys(params).map((name) => f.params[name]) as Operand<Type>[];
  const result = (kernel.call as (...args: Operand<Type>[]) => ReturnType<typeof kernel.call>)(...args);
  if (results.length === 0) f.emit(result);
  else (f.return as unknown as (value: typeof result) => void)(result);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { env: { memory } });
  return { call: instance.exports["run"] as Callable["call"], view: new DataView(memory.buffer) };
}

function signatureOf<P extends NamedParams, R extends Results>(kernel: Kernel<P, R>): { params: P; results: R } {
  const { params, signature } = kernel.info;
  const results = (signature.result === "void" ? [] : [signature.result]) as unknown as R;
  return { params: params as P, results };
}
