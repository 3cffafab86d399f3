/**
 * Step of a top-k pipeline: lets only rows through that can be among the first k. The words of the k-th row so far are
 * in a block that the worker's candidates keep; a row passes when its words come before them. A row with the same words
 * comes later in the input than all that the worker has, so it does not pass; a string that goes on past what the block
 * knows does.
 */
import type { OperatorId, SortKey } from "../../plan/mod.ts";
import { type Expr, i32, i64, type Label, type Local } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import type { StepCode } from "../steps.ts";
import { hasMore, wordCode } from "./word_code.ts";
import { type KeyShape, planWords } from "./words.ts";

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
  return {
    row(scope, next) {
      const { f } = scope;
      const source = scope.within(step.operator);
      const block = f.local("i32", "threshold");
      const passes = f.local("i32", "passes");
      f.set(block, scope.contextWord(thresholdWord(step.operator)));
      f.set(passes, 1);
      f.block((done) => {
        f.brIf(done, i32.eqz(i32.load(block, Threshold.active)));
        compareFrom(scope, source, { keys: step.keys, shapes, words, block, passes, done });
      });
      scope.if(passes, () => next(scope));
    },
  };
}

/** Emits the comparison word by word; leaves `done` as soon as it is decided. */
function compareFrom(
  scope: RowScope,
  source: RowScope,
  options: {
    readonly keys: readonly SortKey[];
    readonly shapes: readonly KeyShape[];
    readonly words: ReturnType<typeof planWords>;
    readonly block: Expr<"i32">;
    readonly passes: Local<"i32">;
    readonly done: Label;
  },
): void {
  const { f } = scope;
  const { shapes, words, block, passes, done } = options;
  const value = (key: number) => source.evaluate((options.keys[key] as SortKey).expression);
  scope.branch(() => {
    words.forEach((word, level) => {
      const mine = wordCode(f, word, { keys: shapes, value, offset: null });
      const bound = i64.load(block, Threshold.words + 8 * level);
      f.brIf(done, i64.lt_u(mine, bound));
      f.if(i64.gt_u(mine, bound), () => {
        f.set(passes, 0);
        f.br(done);
      });
      const shape = word.kind === "bytes" ? shapes[word.key] : undefined;
      if (shape !== undefined) f.brIf(done, hasMore(mine, shape));
    });
    f.set(passes, 0);
  });
}
