/** What a module contains besides what was put in by hand: imports and kernels, found through the calls in its code. */
import { invariant, unreachable } from "../kernel/mod.ts";
import { type EncodedBody, encodeBody, type Links } from "./body.ts";
import { ByteWriter } from "./encode.ts";
import { FunctionBuilder } from "./function.ts";
import type { CalleeInfo, FunctionInfo, HostInfo, KernelInfo, Results } from "./types.ts";

/** A module's functions in index order: imports, then own functions, then kernels in the order of their first call. */
export type LinkedCode = {
  readonly imports: readonly HostInfo[];
  readonly functions: readonly FunctionBuilder[];
  /** Holds the bodies. */
  readonly code: ByteWriter;
  readonly bodies: readonly EncodedBody[];
  readonly indexOf: (callee: CalleeInfo) => number;
};

/** Host functions are the same when module, name and signature are, however often they were declared. */
function importKey(host: HostInfo): string {
  return JSON.stringify([host.module, host.name, host.signature]);
}

function buildKernel(owner: object, info: KernelInfo): FunctionBuilder {
  const { result } = info.signature;
  const results: Results = result === "void" ? [] : [result];
  const builder = new FunctionBuilder(owner, info.name, { params: info.params, results });
  info.build(builder);
  return builder;
}

/** Encodes the module's functions and everything they call, each once. `kernels` keeps those built before. */
export function link(
  owner: object,
  ownFunctions: readonly FunctionBuilder[],
  kernels: Map<KernelInfo, FunctionBuilder>,
): LinkedCode {
  const imports = new Map<string, HostInfo>();
  const importKeys = new Map<HostInfo, string>();
  const functions = [...ownFunctions];
  const positions = new Map<FunctionInfo, number>(functions.map((fn, i) => [fn.info, i]));
  const linkKernel = (info: KernelInfo): void => {
    const builder = kernels.get(info) ?? buildKernel(owner, info);
    kernels.set(info, builder);
    if (positions.has(builder.info)) return;
    positions.set(builder.info, functions.length);
    functions.push(builder);
  };
  const linkCallee = (callee: CalleeInfo): void => {
    if (callee.kind === "kernel") return linkKernel(callee);
    if (callee.kind === "function") return invariant(callee.owner === owner, `${callee.name} is of another module`);
    if (importKeys.has(callee)) return;
    const key = importKey(callee);
    importKeys.set(callee, key);
    if (!imports.has(key)) imports.set(key, callee);
  };
  const linkGlobal = (global: { readonly owner: object; readonly name: string }): void =>
    invariant(global.owner === owner, `global ${global.name} is of another module`);

  const code = new ByteWriter();
  const bodies: EncodedBody[] = [];
  const links: Links = { callee: linkCallee, global: linkGlobal };
  // `functions` grows while kernels are found.
  for (let i = 0; i < functions.length; i++) {
    bodies.push(encodeBody(code, functions[i] as FunctionBuilder, links));
  }
  const importIndex = new Map([...imports.keys()].map((key, i) => [key, i]));
  const definedIndex = (info: FunctionInfo): number => imports.size + (positions.get(info) as number);
  const indexOf = (callee: CalleeInfo): number => {
    switch (callee.kind) {
      case "host":
        return importIndex.get(importKeys.get(callee) as string) as number;
      case "kernel":
        return definedIndex((kernels.get(callee) as FunctionBuilder).info);
      case "function":
        return definedIndex(callee);
      default:
        return unreachable(callee);
    }
  };
  return { imports: [...imports.values()], functions, code, bodies, indexOf };
}
