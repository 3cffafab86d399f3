/** Things that can be called. Host functions and kernels are linked into whichever module's code calls them, once. */
import { invariant } from "../kernel/mod.ts";
import { exprOf, operandNode } from "./expr.ts";
import type { FunctionBuilder } from "./function.ts";
import type {
  CalleeInfo,
  Expr,
  FlatSignature,
  FunctionBuilderLike,
  HostInfo,
  KernelInfo,
  NamedParams,
  Operand,
  ResultOf,
  Results,
  Type,
  ValType,
} from "./types.ts";

/** Arguments of a call by position, typed one by one. */
export type PositionalArgs<P extends readonly ValType[]> = { readonly [K in keyof P]: Operand<P[K]> };
/**
 * Arguments by position where the parameters are an object: TypeScript does not know the order of an object's keys, so
 * each argument may have any type that the signature has; count and order are checked when the call is built.
 */
export type LooseArgs<P extends NamedParams> = readonly Operand<P[keyof P]>[];
/** Arguments by name, typed one by one. */
export type NamedArgs<P extends NamedParams> = { readonly [K in keyof P]: Operand<P[K]> };

export type NamedSignature<P extends NamedParams, R extends Results> = { readonly params: P; readonly results: R };

/** Callable with arguments by position or by name. */
export interface NamedCallee<P extends NamedParams, R extends Results> {
  readonly call: (...args: LooseArgs<P>) => Expr<ResultOf<R>>;
  readonly callWith: (args: NamedArgs<P>) => Expr<ResultOf<R>>;
}

export interface HostFunction<P extends readonly ValType[], R extends Results> {
  readonly info: HostInfo;
  readonly call: (...args: PositionalArgs<P>) => Expr<ResultOf<R>>;
}

export interface Kernel<P extends NamedParams, R extends Results> extends NamedCallee<P, R> {
  readonly info: KernelInfo;
}

export function flatSignature(params: readonly ValType[], results: Results): FlatSignature {
  return Object.freeze({ params: Object.freeze([...params]), result: results[0] ?? "void" });
}

/** A call of `callee`; throws when count or types of the arguments are not its signature's. */
export function callNode<T extends Type>(callee: CalleeInfo, args: readonly Operand<Type>[]): Expr<T> {
  const { params, result } = callee.signature;
  if (args.length !== params.length) {
    invariant(false, `call of ${callee.name} wants ${params.length} arguments but got ${args.length}`);
  }
  const nodes = params.map((type, i) => operandNode(type, args[i], callee.name));
  return exprOf(Object.freeze({ kind: "call", type: result, callee, args: nodes }));
}

/** The two ways to call `callee`, whose parameters are named `names`. */
export function namedCalls<P extends NamedParams, R extends Results>(callee: CalleeInfo, params: P): NamedCallee<P, R> {
  const names = Object.keys(params);
  return {
    call: (...args) => callNode(callee, args as readonly Operand<Type>[]),
    callWith: (args) =>
      callNode(
        callee,
        names.map((name) => args[name] as Operand<Type>),
      ),
  };
}

/** A function that the host supplies as import `module`.`name`. */
export function hostFunction<const P extends readonly ValType[], const R extends Results>(
  module: string,
  name: string,
  signature: { readonly params: P; readonly results: R },
): HostFunction<P, R> {
  const flat = flatSignature(signature.params, signature.results);
  const info: HostInfo = Object.freeze({ kind: "host", module, name, signature: flat });
  return { info, call: (...args) => callNode(info, args as readonly Operand<Type>[]) };
}

/** A function written with the assembler that modules contain when they call it. `body` runs once for each such module. */
export function kernel<const P extends NamedParams, const R extends Results>(
  name: string,
  signature: NamedSignature<P, R>,
  body: (builder: FunctionBuilder<P, R>) => void,
): Kernel<P, R> {
  const info: KernelInfo = Object.freeze({
    kind: "kernel",
    name,
    params: signature.params,
    signature: flatSignature(Object.values(signature.params), signature.results),
    // The module makes the builder from this same signature.
    build: (builder: FunctionBuilderLike) => body(builder as FunctionBuilder<P, R>),
  });
  return { info, ...namedCalls<P, R>(info, signature.params) };
}
