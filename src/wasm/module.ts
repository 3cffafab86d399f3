/** A module under construction: functions and globals; everything else is linked through calls. */
import { invariant } from "../kernel/mod.ts";
import { constant, exprOf, operandNode } from "./expr.ts";
import { FunctionBuilder, type FunctionSignature } from "./function.ts";
import { link } from "./link.ts";
import { UniqueNames } from "./names.ts";
import { encodeModule } from "./sections.ts";
import { moduleText } from "./text.ts";
import type { ConstValue, Expr, GlobalInfo, KernelInfo, NamedParams, Operand, Results, ValType } from "./types.ts";

/** WebAssembly's limit for 32-bit memories: 4 GiB. */
const MEMORY_PAGES_MAX = 65_536;

/** Limits of the imported memory in pages of 64 KiB; must fit the memory given at instantiation. */
export type MemoryOptions = {
  readonly initialPages: number;
  readonly maximumPages?: number;
  readonly shared?: boolean;
};

export type ModuleOptions = {
  /** The memory imported as "env"."memory". Without it the module has none. */
  readonly memory?: MemoryOptions;
  /** Writes the name section, so that traces and profiles of the engine are readable. Default true. */
  readonly names?: boolean;
};

export type GlobalOptions<T extends ValType> = {
  readonly init: ConstValue<T>;
  readonly mutable?: boolean;
  readonly name?: string;
};

export interface Global<T extends ValType> {
  readonly info: GlobalInfo;
  readonly get: () => Expr<T>;
  /** Emit it: `f.emit(global.set(1))`. */
  readonly set: (value: Operand<T>) => Expr<"void">;
}

function checkMemory(memory: MemoryOptions): void {
  const { initialPages, maximumPages = MEMORY_PAGES_MAX, shared = false } = memory;
  const inOrder = initialPages >= 0 && initialPages <= maximumPages && maximumPages <= MEMORY_PAGES_MAX;
  const whole = Number.isInteger(initialPages) && Number.isInteger(maximumPages);
  const limits = `${initialPages} to ${maximumPages} pages`;
  invariant(inOrder && whole, `memory of ${limits}: wants whole numbers in order, at most ${MEMORY_PAGES_MAX}`);
  invariant(!shared || memory.maximumPages !== undefined, "a shared memory wants maximumPages");
}

export class ModuleBuilder {
  readonly options: ModuleOptions;
  readonly globals: GlobalInfo[] = [];
  readonly #functions: FunctionBuilder[] = [];
  readonly #kernels = new Map<KernelInfo, FunctionBuilder>();
  readonly #globalNames = new UniqueNames();
  readonly #exportNames = new Set<string>();

  constructor(options: ModuleOptions = {}) {
    if (options.memory !== undefined) checkMemory(options.memory);
    this.options = options;
  }

  /** A new function, whose body is then written with the builder. */
  function<const P extends NamedParams, const R extends Results>(
    name: string,
    signature: FunctionSignature<P, R>,
  ): FunctionBuilder<P, R> {
    if (signature.export) {
      invariant(!this.#exportNames.has(name), `two functions are exported as "${name}"`);
      this.#exportNames.add(name);
    }
    const builder = new FunctionBuilder(this, name, signature);
    // Visitors only read builders, so the signature's precise type may be forgotten.
    this.#functions.push(builder as unknown as FunctionBuilder);
    return builder;
  }

  global<T extends ValType>(type: T, options: GlobalOptions<T>): Global<T> {
    const info: GlobalInfo = Object.freeze({
      name: this.#globalNames.take(options.name ?? "global"),
      type,
      mutable: options.mutable ?? false,
      init: constant(type, options.init),
      index: this.globals.length,
      owner: this,
    });
    this.globals.push(info);
    return {
      info,
      get: () => exprOf(Object.freeze({ kind: "global", type, global: info })),
      set: (value) => {
        invariant(info.mutable, `global ${info.name} is not mutable`);
        const node = operandNode(type, value, `set of ${info.name}`);
        return exprOf(Object.freeze({ kind: "globalSet", type: "void", global: info, value: node }));
      },
    };
  }

  /** The module as WebAssembly binary. */
  bytes(): Uint8Array<ArrayBuffer> {
    return encodeModule(link(this, this.#functions, this.#kernels), this.globals, this.options);
  }

  /** The module as WebAssembly text. */
  text(): string {
    return moduleText(link(this, this.#functions, this.#kernels), this.globals, this.options);
  }
}
