/**
 * Step of a top-k pipeline: lets only rows through that can be among the first k. The words of the k-th row so far are
 * in a block that the worker's candidates keep; a row passes when its words come before them. A row with the same words
 * comes later in the input than all that the worker has, so it does not pass; a string that goes on past what the block
 * knows does.
 */

import { invariant } from "../../kernel/mod.ts";
import type { OperatorId, SortKey } from "../../plan/mod.ts";
import { i32, i64, type Local, select } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import type { BlockInput, StepCode } from "../steps.ts";
import type { Value } from "../value.ts";
import { skipBound, skipCode, skipTarget } from "./skip.ts";
import { hasMore, wordCode } from "./word_code.ts";
import { type KeyShape, planWords, type Word } from "./words.ts";

export interface ThresholdStep {
  readonly kind: "threshold";
  readonly operator: OperatorId;
  readonly keys: readonly SortKey[];
  readonly thresholds: ThresholdBlocks;
}

/** A block of `bytes` for each worker, from `address` on. */
export interface ThresholdBlocks {
  readonly address: number;
  readonly bytes: number;
}

/** Context word: address of the worker's block. */
export function thresholdWord(operator: OperatorId): string {
  return `threshold${operator}`;
}

/** The block: an i32 that is 1 once there are k rows, then from byte 8 on the words. */
export const Threshold = { active: 0, words: 8 } as const;

/** Shapes of the keys wherever words are compared with a threshold: any may be null. */
export function thresholdShapes(keys: readonly SortKey[]): KeyShape[] {
  return keys.map(({ expression, descending, nullsFirst }) => {
    return { type: expression.type, descending, nullsFirst, nullable: true };
  });
}

export function thresholdCode(step: ThresholdStep): StepCode {
  const shapes = thresholdShapes(step.keys);
  const words = planWords(shapes);
  let bound: Bound | null = null;
  let skipping: (() => void) | null = null;
  return {
    prologue(scope, input) {
      bound = loadBound(scope, step, words.length);
      skipping = skipper(scope, step, { input, bound, shapes, words });
    },
    skip: () => skipping?.(),
    row(scope, next) {
      invariant(bound !== null, "a threshold without its bound");
      const row: ThresholdRow = { scope, bound, shapes, words, value: valuesOf(scope.within(step.operator), step) };
      const [first] = words;
      invariant(first !== undefined, "there is a first word");
      // Most rows fail here, by their first key alone.
      const least = wordCode(scope.f, leadingPart(first), { keys: shapes, value: row.value, offset: null });
      const known = bound;
      scope.if(i64.le_u(least, known.words[0] as Local<"i64">), () => {
        const passes = comparisonCode(row);
        scope.if(passes, () => next(scope));
      });
    },
  };
}

/** What skips rows by the first key, if it can. */
function skipper(
  scope: RowScope,
  step: ThresholdStep,
  from: {
    readonly input: BlockInput;
    readonly bound: Bound;
    readonly shapes: readonly KeyShape[];
    readonly words: readonly Word[];
  },
): (() => void) | null {
  const key = step.keys[0]?.expression;
  const target = from.input.steps[0] === step ? skipTarget(key?.kind === "column" ? key.name : null, from.input) : null;
  const [shape] = from.shapes;
  const [plan] = from.words;
  const [word] = from.bound.words;
  if (target === null || shape === undefined || plan === undefined || word === undefined) return null;
  const bound = skipBound(scope, target, { word, open: from.bound.open, plan, shape });
  return bound === null ? null : () => skipCode(scope, target, { bound, descending: shape.descending });
}

interface Bound {
  /** 1 when there are fewer than k rows yet: all rows pass. */
  readonly open: Local<"i32">;
  /** All ones while `open`. */
  readonly words: readonly Local<"i64">[];
}

interface ThresholdRow {
  readonly scope: RowScope;
  readonly bound: Bound;
  readonly shapes: readonly KeyShape[];
  readonly words: readonly Word[];
  readonly value: (key: number) => Value;
}

/** Emits the loads of the bound before the row loop: it changes only between runs. */
function loadBound(scope: RowScope, step: ThresholdStep, wordCount: number): Bound {
  const { f } = scope;
  const block = f.local("i32", "threshold");
  const open = f.local("i32", "open");
  f.set(block, scope.contextWord(thresholdWord(step.operator)));
  f.set(open, i32.eqz(i32.load(block, Threshold.active)));
  const words = Array.from({ length: wordCount }, (_, level) => {
    const word = f.local("i64", "bound");
    f.set(word, select(open, i64.const(-1n), i64.load(block, Threshold.words + 8 * level)));
    return word;
  });
  return { open, words };
}

function valuesOf(source: RowScope, step: ThresholdStep): (key: number) => Value {
  return (key) => {
    const expression = step.keys[key]?.expression;
    invariant(expression !== undefined, "a word is of a key");
    return source.evaluate(expression);
  };
}

/** The word with zeros for all but its first key: never greater than the word. */
function leadingPart(word: Word): Word {
  if (word.kind === "bytes") return word;
  return { kind: "fixed", parts: word.parts.filter(({ key }) => key === word.parts[0]?.key) };
}

/** Emits the comparison word by word, left as soon as it is decided; the result is 1 when the row passes. */
function comparisonCode({ scope, bound, shapes, words, value }: ThresholdRow): Local<"i32"> {
  const { f } = scope;
  const passes = f.local("i32", "passes");
  f.set(passes, 1);
  f.block((done) => {
    scope.branch(() => {
      f.brIf(done, bound.open);
      words.forEach((word, level) => {
        const limit = bound.words[level];
        invariant(limit !== undefined, "every word has a bound");
        const mine = wordCode(f, word, { keys: shapes, value, offset: null });
        f.brIf(done, i64.lt_u(mine, limit));
        f.if(i64.gt_u(mine, limit), () => {
          f.set(passes, 0);
          f.br(done);
        });
        const shape = word.kind === "bytes" ? shapes[word.key] : undefined;
        if (shape !== undefined) f.brIf(done, hasMore(mine, shape));
      });
      f.set(passes, 0);
    });
  });
  return passes;
}
