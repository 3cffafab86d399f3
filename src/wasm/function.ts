/** Builds one function: statements are appended to the innermost open block. */
import { invariant } from "../kernel/mod.ts";
import { callNode, flatSignature, type LooseArgs, type NamedArgs, type NamedCallee } from "./callee.ts";
import { exprOf, nodeOf, operandNode } from "./expr.ts";
import { UniqueNames } from "./names.ts";
import type {
  Expr,
  FunctionInfo,
  Label,
  Local,
  LocalNode,
  NamedParams,
  Operand,
  ResultOf,
  Results,
  Statement,
  Target,
  Type,
  ValType,
} from "./types.ts";

export type FunctionSignature<P extends NamedParams, R extends Results> = {
  readonly params: P;
  readonly results: R;
  /** Exports the function under its name. */
  readonly export?: boolean;
};

type ReturnArgs<R extends Results> = R extends readonly [infer T extends ValType] ? [value: Operand<T>] : [];

export class FunctionBuilder<P extends NamedParams = NamedParams, R extends Results = Results>
  implements NamedCallee<P, R>
{
  readonly info: FunctionInfo;
  readonly exported: boolean;
  readonly params: { readonly [K in keyof P]: Local<P[K]> };
  /** Parameters, then locals in declaration order. */
  readonly locals: LocalNode[] = [];
  readonly paramCount: number;
  readonly #root: Statement[] = [];
  readonly #localNames = new UniqueNames();
  readonly #labelNames = new UniqueNames();
  readonly #open: Label[] = [];
  readonly #paramNames: readonly string[];
  #current: Statement[] = this.#root;
  /** How many blocks are open, `if` included. */
  #depth = 0;

  constructor(owner: object, name: string, signature: FunctionSignature<P, R>) {
    const types = Object.values(signature.params);
    const flat = flatSignature(types, signature.results);
    this.info = Object.freeze({ kind: "function", name, signature: flat, owner });
    this.exported = signature.export ?? false;
    this.#paramNames = Object.keys(signature.params);
    this.paramCount = types.length;
    const params = this.#paramNames.map((param) => [param, this.local(signature.params[param] as ValType, param)]);
    // One local was made for each key, with the key's type.
    this.params = Object.freeze(Object.fromEntries(params)) as { readonly [K in keyof P]: Local<P[K]> };
  }

  /** The statements so far; the outermost block. */
  get statements(): readonly Statement[] {
    return this.#root;
  }

  /** A new local, zero when the function starts. `name` is a hint: it is made unique. */
  local<T extends ValType>(type: T, name = "local"): Local<T> {
    const unique = this.#localNames.take(name);
    const node: LocalNode = Object.freeze({
      kind: "local",
      type,
      index: this.locals.length,
      name: unique,
      owner: this.info,
    });
    this.locals.push(node);
    return exprOf<T>(node) as Local<T>;
  }

  set<T extends ValType>(local: Local<T>, value: Operand<NoInfer<T>>): void {
    const node = this.#own(local);
    this.#push({ kind: "set", local: node, value: operandNode(local.type, value, `set of ${local.name}`) });
  }

  /** Sets the local and gives the value. */
  tee<T extends ValType>(local: Local<T>, value: Operand<NoInfer<T>>): Expr<T> {
    const node = this.#own(local);
    const valueNode = operandNode(local.type, value, `tee of ${local.name}`);
    return exprOf(Object.freeze({ kind: "tee", type: local.type, local: node, value: valueNode }));
  }

  /** Evaluates `expr`; a value that it leaves is dropped. */
  emit(expr: Expr<Type>): void {
    this.#push({ kind: "expr", expr: nodeOf(expr) });
  }

  if(condition: Operand<"i32">, body: () => void, otherwise?: () => void): void {
    const node = operandNode("i32", condition, "if");
    const statements = this.#nested(body);
    const others = otherwise === undefined ? [] : this.#nested(otherwise);
    this.#push({ kind: "if", condition: node, body: statements, otherwise: others });
  }

  /** A branch to the block's label leaves the block. */
  block(body: (label: Label) => void, name = "block"): void {
    this.#labelled("block", name, body);
  }

  /** A branch to the loop's label starts it again; falling off its end leaves it. */
  loop(body: (label: Label) => void, name = "loop"): void {
    this.#labelled("loop", name, body);
  }

  /** Runs `body` as long as `condition` is not zero before it. */
  while(condition: Operand<"i32">, body: () => void): void {
    this.loop((again) => {
      this.if(condition, () => {
        body();
        this.br(again);
      });
    }, "while");
  }

  br(label: Label): void {
    this.#push({ kind: "br", target: this.#target(label) });
  }

  brIf(label: Label, condition: Operand<"i32">): void {
    this.#push({ kind: "brIf", target: this.#target(label), condition: operandNode("i32", condition, "br_if") });
  }

  /** Branches to `labels[index]`, or to `otherwise` when there is none. */
  brTable(labels: readonly Label[], otherwise: Label, index: Operand<"i32">): void {
    const targets = labels.map((label) => this.#target(label));
    const node = operandNode("i32", index, "br_table");
    this.#push({ kind: "brTable", targets, otherwise: this.#target(otherwise), index: node });
  }

  return(...value: ReturnArgs<R>): void {
    const { result } = this.info.signature;
    const given = value[0] as Operand<Type> | undefined;
    const where = `return of ${this.info.name}`;
    if (result === "void") {
      invariant(given === undefined, `${where} must have no value`);
      this.#push({ kind: "return", value: undefined });
    } else {
      this.#push({ kind: "return", value: operandNode(result, given, where) });
    }
  }

  /** Traps. */
  unreachable(): void {
    this.#push({ kind: "unreachable" });
  }

  /** A remark that shows in the text only. */
  comment(text: string): void {
    this.#push({ kind: "comment", text });
  }

  call(...args: LooseArgs<P>): Expr<ResultOf<R>> {
    return callNode(this.info, args as readonly Operand<Type>[]);
  }

  callWith(args: NamedArgs<P>): Expr<ResultOf<R>> {
    return callNode(
      this.info,
      this.#paramNames.map((name) => args[name] as Operand<Type>),
    );
  }

  #push(statement: Statement): void {
    this.#current.push(Object.freeze(statement));
  }

  #own(local: Local<ValType>): LocalNode {
    const node = nodeOf(local) as LocalNode;
    if (node.kind !== "local" || node.owner !== this.info) {
      invariant(false, `${this.info.name} may set only its own locals, not ${node.name}`);
    }
    return node;
  }

  #labelled(kind: "block" | "loop", name: string, body: (label: Label) => void): void {
    const depth = this.#depth + 1;
    const label: Label = Object.freeze({ name: this.#labelNames.take(name), depth, owner: this.info });
    this.#open[depth] = label;
    const statements = this.#nested(() => body(label));
    this.#push({ kind, label, body: statements });
  }

  /** Runs `body` with a fresh innermost block and gives what it appended. */
  #nested(body: () => void): readonly Statement[] {
    const outer = this.#current;
    const inner: Statement[] = [];
    this.#current = inner;
    this.#depth++;
    try {
      body();
    } finally {
      this.#current = outer;
      this.#open.length = this.#depth;
      this.#depth--;
    }
    return inner;
  }

  #target(label: Label): Target {
    if (this.#open[label.depth] !== label) {
      invariant(false, `branch in ${this.info.name} to label ${label.name}, which is not open here`);
    }
    return { label, depth: this.#depth - label.depth };
  }
}
