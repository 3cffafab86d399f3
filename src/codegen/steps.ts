import type { NamedExpression, OperatorId, TypedExpression } from "../plan/mod.ts";
import { type Expr, i32 } from "../wasm/mod.ts";
import type { Step } from "./pipeline.ts";
import type { InputColumn } from "./program.ts";
import type { Binding, RowScope } from "./scope.ts";
import type { Value } from "./value.ts";

/**
 * Produce/consume (Neumann 2011): each operator of a pipeline contributes code for one row and calls `next` wherever
 * its output row exists; the terminal ends the chain. Nothing is interpreted per row.
 */
export interface StepCode {
  /** Code before the row loop. */
  prologue?(scope: RowScope, input: BlockInput): void;
  row(scope: RowScope, next: (scope: RowScope) => void): void;
  /** Code that moves `row` past rows that would not pass, but not past the end. Called for a pipeline's first step. */
  skip?(scope: RowScope): void;
  /** Code for a row that `row` let pass before, when it comes a second time. */
  again?(scope: RowScope, next: (scope: RowScope) => void): void;
  /** Set where rows are to wait for each other before this step: see `row_loop.ts`. */
  readonly lookahead?: Lookahead;
}

/** How a step that waits for memory lets the waits of many rows overlap. */
export interface Lookahead {
  /** Rows that go together. */
  readonly blockRows: number;
  /** Code before a block. */
  open(scope: RowScope): void;
  /** Code for each row of the block that reaches the step. */
  gather(scope: RowScope): void;
  /** Code that goes through the gathered rows again, in order: it sets `row`; the step's `row` is in `body`. */
  each(scope: RowScope, body: () => void): void;
}

/** What code that does not go row by row must know of the pipeline. */
export interface BlockInput {
  readonly steps: readonly Step[];
  readonly columns: readonly InputColumn[];
}

export interface TerminalCode {
  prologue?(scope: RowScope): void;
  /** Code for the whole pipeline over as many rows as it can take at a time; it moves `row` behind them. */
  blocks?(scope: RowScope, input: BlockInput): void;
  row(scope: RowScope): void;
  /** Code after the row loop. */
  epilogue?(scope: RowScope): void;
}

export interface FilterStep {
  readonly kind: "filter";
  readonly operator: OperatorId;
  readonly predicate: TypedExpression;
}

export interface ProjectStep {
  readonly kind: "project";
  readonly operator: OperatorId;
  readonly columns: readonly NamedExpression[];
}

/** 1 where the boolean `value` is true: neither false nor null. */
export function isTrue(value: Value): Expr<"i32"> {
  if (value.repr !== "i32") throw new TypeError("A condition must be a bool");
  return value.isNull === null ? value.value : i32.and(value.value, i32.eqz(value.isNull));
}

/** Conjuncts one after the other, so that later columns are loaded only for rows that are still in. */
export function filterCode(step: FilterStep): StepCode {
  const conjuncts = splitConjunction(step.predicate);
  const chain = (scope: RowScope, index: number, next: (scope: RowScope) => void): void => {
    const conjunct = conjuncts[index];
    if (conjunct === undefined) return next(scope);
    const condition = isTrue(scope.within(step.operator).evaluate(conjunct));
    scope.if(condition, () => chain(scope, index + 1, next));
  };
  return { row: (scope, next) => chain(scope, 0, next), again: (scope, next) => next(scope) };
}

function splitConjunction(predicate: TypedExpression): readonly TypedExpression[] {
  if (predicate.kind === "call" && predicate.fn === "and") return predicate.args.flatMap(splitConjunction);
  return [predicate];
}

/** Binds names to expressions over the old scope; an expression is computed where it is first used. */
export function projectCode(step: ProjectStep): StepCode {
  return {
    row(scope, next) {
      const source = scope.within(step.operator);
      const bindings = new Map<string, Binding>();
      for (const { name, expression } of step.columns) {
        const binding = scope.bindingOf(expression);
        const fields = binding?.fields === undefined ? {} : { fields: binding.fields };
        bindings.set(name, { load: () => source.evaluate(expression), origin: binding?.origin ?? null, ...fields });
      }
      next(scope.derive(bindings, step.operator));
    },
  };
}
