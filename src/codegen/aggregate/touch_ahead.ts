/**
 * With many groups most rows wait for memory, one after the other, as whether a group is new decides what runs next.
 * So before a run of rows its slots and entries are read once, without any decision: the processor waits for many at
 * a time (Kersten et al., "Everything You Always Wanted to Know About Compiled and Vectorized Queries", 2018, §4;
 * Menon et al., "Relaxed Operator Fusion", 2017).
 */
import type { TypedExpression } from "../../plan/mod.ts";
import { i32, i64, type Local } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import type { BlockInput } from "../steps.ts";
import { reprOf } from "../value.ts";
import type { GroupCode } from "./group_code.ts";
import { keyParts } from "./key_field.ts";
import { StateWord, stateWord } from "./memory_layout.ts";
import type { AggregateTerminal } from "./terminal.ts";

/** Rows of a run. */
const RUN_ROWS = 128;
/** Tables of fewer slots stay in the cache by themselves. */
const SLOTS_MIN = 1 << 15;

export class TouchAhead {
  readonly #keys: readonly string[];
  /** The first row that is not touched yet. */
  readonly #until: Local<"i32">;
  /** What was read, so that the reads are not optimised away. */
  readonly #read: Local<"i32">;

  private constructor(scope: RowScope, keys: readonly string[]) {
    this.#keys = keys;
    this.#until = scope.f.local("i32", "touched");
    this.#read = scope.f.local("i32", "read");
  }

  /** Null when keys are no plain numbers of the input: computing them twice would cost more than it gains. */
  static of(scope: RowScope, terminal: AggregateTerminal, input: BlockInput): TouchAhead | null {
    const keys = terminal.keys.map(({ expression }) => inputColumn(expression, input));
    const cheap = terminal.keys.some(({ expression }) => expression.type.kind !== "bool");
    if (!cheap || keys.includes(null)) return null;
    return new TouchAhead(scope, keys as string[]);
  }

  /** Emits what comes before each row. */
  beforeRow(scope: RowScope, groups: GroupCode): void {
    const { f, row } = scope;
    const { table } = groups;
    if (table === null) return;
    const run = i32.and(i32.ge_u(row, this.#until), i32.ge_u(table.mask, SLOTS_MIN - 1));
    f.if(run, () => {
      const first = f.local("i32", "first");
      const slot = f.local("i64", "ahead");
      f.set(first, row);
      f.set(this.#until, i32.add(row, RUN_ROWS));
      f.if(i32.gt_u(this.#until, f.params.end), () => f.set(this.#until, f.params.end));
      f.loop((again) => {
        scope.branch(() => {
          const keys = this.#keys.map((name) => keyParts(scope, scope.column(name)));
          const home = table.home(table.hash(keys));
          f.set(slot, table.isInline ? i64.extend_i32_u(home) : i64.load(home));
        });
        f.set(this.#read, i32.xor(this.#read, i32.load(i32.wrap_i64(slot))));
        f.set(row, i32.add(row, 1));
        f.brIf(again, i32.lt_u(row, this.#until));
      }, "touch");
      f.set(row, first);
    });
  }

  /** Emits what comes after the last row. */
  close(scope: RowScope): void {
    scope.f.emit(i32.store(scope.contextWord(stateWord), this.#read, StateWord.unused));
  }
}

/** The plain numeric column of the input that an expression behind the steps is; null when it is anything else. */
function inputColumn(expression: TypedExpression, input: BlockInput): string | null {
  let found: TypedExpression | undefined = expression;
  for (const step of [...input.steps].reverse()) {
    if (found?.kind !== "column") return null;
    const name: string = found.name;
    if (step.kind === "project") found = step.columns.find((column) => column.name === name)?.expression;
    else if (step.kind !== "filter") return null;
  }
  if (found?.kind !== "column") return null;
  const { name } = found;
  const column = input.columns.find((given) => given.name === name);
  if (column === undefined || column.encoding !== "plain") return null;
  const repr = reprOf(column.type);
  return repr === "i32" || repr === "i64" || repr === "f64" || repr === "f32" ? name : null;
}
