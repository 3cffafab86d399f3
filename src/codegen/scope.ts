import { invariant } from "../kernel/mod.ts";
import type { OperatorId, TypedExpression } from "../plan/mod.ts";
import { type Expr, type FunctionBuilder, i32, type Local } from "../wasm/mod.ts";
import { expressionKey } from "./expression_key.ts";
import type { FailureSite, Program } from "./program.ts";
import type { Value } from "./value.ts";

/** A function of the generated module that walks rows. */
export type RowFunction = FunctionBuilder<{ ctx: "i32"; start: "i32"; end: "i32" }, []>;

/** Where a column of the scope comes from. */
export interface Binding {
  /** Emits the code that computes the value; called at most once on each path, then remembered. */
  readonly load: () => Value;
  /** Set where the column is an unchanged dictionary column of the input batch, or a nested one that is only carried. */
  readonly origin: Origin | null;
  /** Fields of a struct column. */
  readonly fields?: ReadonlyMap<string, Binding>;
}

/** An input column passed through untouched: its position, and the row it is taken from. */
export interface Origin {
  readonly inputColumn: number;
  /** Its index, then those of fields within structs. */
  readonly path: readonly number[];
  readonly row: Expr<"i32">;
  /** Emits the load of the dictionary index (0 where null); null when not dictionary-encoded. */
  readonly index: (() => Expr<"i32">) | null;
  /** Emits the load of the null flag; null when the column has no nulls. */
  readonly isNull: (() => Expr<"i32">) | null;
}

/** Compiles an expression in a scope; injected so that scope and compiler need not import each other. */
export type ExpressionCompiler = (scope: RowScope, expression: TypedExpression) => Value;

export interface ScopeParts {
  readonly program: Program;
  readonly f: RowFunction;
  /** The row number in the input batch. */
  readonly row: Local<"i32">;
  readonly compile: ExpressionCompiler;
  /** The operator whose expressions are being compiled: goes into failure sites. */
  readonly operator: OperatorId;
}

/**
 * The columns visible to one operator while code for a row is generated. Values are computed where they are first
 * needed and remembered for the code that this dominates: that is common subexpression elimination and late loading in
 * one. `branch` marks code that may be skipped, so nothing computed in it is remembered outside.
 */
export class RowScope {
  readonly parts: ScopeParts;
  readonly #bindings: ReadonlyMap<string, Binding>;
  /** One memory for a scope and all scopes derived from it, as `branch` must cut them all. Keys name the scope too. */
  readonly #memo: Memo;
  readonly #id: number;

  constructor(parts: ScopeParts, bindings: ReadonlyMap<string, Binding>, memo: Memo = new Memo()) {
    this.parts = parts;
    this.#bindings = bindings;
    this.#memo = memo;
    this.#id = memo.nextScopeId++;
  }

  get f(): RowFunction {
    return this.parts.f;
  }

  get ctx(): Local<"i32"> {
    return this.parts.f.params.ctx;
  }

  get row(): Local<"i32"> {
    return this.parts.row;
  }

  get program(): Program {
    return this.parts.program;
  }

  origin(name: string): Origin | null {
    return this.#binding(name).origin;
  }

  /** What a column or a field of a struct column is bound to; null for other expressions. */
  bindingOf(expression: TypedExpression): Binding | null {
    if (expression.kind === "column") return this.#binding(expression.name);
    if (expression.kind !== "field") return null;
    return this.bindingOf(expression.operand)?.fields?.get(expression.name) ?? null;
  }

  column(name: string): Value {
    return this.#remember(`column ${name}`, () => this.#binding(name).load());
  }

  /** The value of `expression`, computed at most once on each path. */
  evaluate(expression: TypedExpression): Value {
    if (expression.kind === "column") return this.column(expression.name);
    return this.#remember(expressionKey(expression), () => this.parts.compile(this, expression));
  }

  /** A scope with other columns (a projection) or more (a join) over the same row. */
  derive(bindings: ReadonlyMap<string, Binding>, operator: OperatorId): RowScope {
    return new RowScope({ ...this.parts, operator }, bindings, this.#memo);
  }

  /** The same columns, seen by another operator. */
  within(operator: OperatorId): RowScope {
    return this.derive(this.#bindings, operator);
  }

  bindings(): ReadonlyMap<string, Binding> {
    return this.#bindings;
  }

  /** Generates code that may not run: values first computed in `body` are forgotten after it. */
  branch(body: () => void): void {
    this.#memo.cut(body);
  }

  /** `f.if` whose arms are branches. */
  if(condition: Expr<"i32">, then: () => void, otherwise?: () => void): void {
    const arm = (body: () => void) => () => this.branch(body);
    if (otherwise === undefined) this.f.if(condition, arm(then));
    else this.f.if(condition, arm(then), arm(otherwise));
  }

  /** Emits a throw; code after it is not reached. */
  fail(code: FailureSite["code"], expression: string): void {
    const site: FailureSite = { operator: this.parts.operator, code, expression };
    this.f.emit(this.program.failCall(site, this.row));
    this.f.unreachable();
  }

  /** Load of a 32-bit word of the context block. */
  contextWord(name: string): Expr<"i32"> {
    return i32.load(this.ctx, this.program.context.word(name));
  }

  #binding(name: string): Binding {
    const binding = this.#bindings.get(name);
    invariant(binding !== undefined, `column ${name} is not in scope`);
    return binding;
  }

  #remember(key: string, compute: () => Value): Value {
    const full = `${this.#id} ${key}`;
    const known = this.#memo.values.get(full);
    if (known !== undefined) return known;
    const value = compute();
    this.#memo.values.set(full, value);
    return value;
  }
}

/** What has been computed on the current path. */
class Memo {
  values = new Map<string, Value>();
  nextScopeId = 0;

  cut(body: () => void): void {
    const outer = this.values;
    this.values = new Map(outer);
    body();
    this.values = outer;
  }
}
