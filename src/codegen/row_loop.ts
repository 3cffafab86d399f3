/**
 * The loop over a pipeline's rows. Usually each row goes through all steps. Where a step looks rows up in memory that
 * is far away, rows go in blocks: all of a block up to that step, which asks for what each row needs, and then all of
 * them onward, when it has arrived (relaxed operator fusion: Menon, Mowry, Pavlo 2017). Columns are loaded a second time
 * then; filters need not be asked again.
 */
import { i32 } from "../wasm/mod.ts";
import { Header } from "./context.ts";
import type { RowScope } from "./scope.ts";
import type { Lookahead, StepCode, TerminalCode } from "./steps.ts";

interface Parts {
  readonly steps: readonly StepCode[];
  readonly terminal: TerminalCode;
}

/** From `row` on to the end. */
export function rowLoop(scope: RowScope, parts: Parts): void {
  const { f, row } = scope;
  const first = parts.steps.findIndex((step) => step.lookahead !== undefined);
  const lookahead = parts.steps[first]?.lookahead;
  if (lookahead !== undefined) return blockLoop(scope, parts, { first, lookahead });
  const skip = () => parts.steps[0]?.skip?.(scope);
  skip();
  f.while(i32.lt_u(row, f.params.end), () => {
    oneRow(scope, () => runSteps(scope, parts.steps, (last) => parts.terminal.row(last)));
    f.set(row, i32.add(row, 1));
    skip();
  });
}

function blockLoop(scope: RowScope, parts: Parts, at: { readonly first: number; readonly lookahead: Lookahead }): void {
  const { f, row } = scope;
  const { first, lookahead } = at;
  const blockEnd = f.local("i32", "blockEnd");
  const before = parts.steps.slice(0, first);
  const passed = parts.steps.map((step, i) => againOr(step, i < first));
  f.while(i32.lt_u(row, f.params.end), () => {
    f.set(blockEnd, i32.add(row, lookahead.blockRows));
    f.if(i32.gt_u(blockEnd, f.params.end), () => f.set(blockEnd, f.params.end));
    lookahead.open(scope);
    f.while(i32.lt_u(row, blockEnd), () => {
      oneRow(scope, () => runSteps(scope, before, (last) => lookahead.gather(last)));
      f.set(row, i32.add(row, 1));
    });
    lookahead.each(scope, () => {
      oneRow(scope, () => runSteps(scope, passed, (last) => parts.terminal.row(last)));
    });
    f.set(row, blockEnd);
  });
}

/** A step that rows have passed before: what it needs the second time. */
function againOr(step: StepCode, hasPassed: boolean): StepCode {
  if (!hasPassed || step.again === undefined) return step;
  return { row: (scope, next) => step.again?.(scope, next) };
}

function oneRow(scope: RowScope, body: () => void): void {
  const { f, ctx } = scope;
  scope.branch(body);
  if (scope.program.usesScratch) {
    f.emit(i32.store(ctx, i32.load(ctx, Header.scratchBase), Header.scratchTop));
  }
}

function runSteps(scope: RowScope, steps: readonly StepCode[], last: (scope: RowScope) => void): void {
  const from = (index: number, current: RowScope): void => {
    const step = steps[index];
    if (step === undefined) last(current);
    else step.row(current, (next) => from(index + 1, next));
  };
  from(0, scope);
}
