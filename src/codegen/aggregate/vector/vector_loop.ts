/**
 * Aggregation without keys over blocks of eight rows in 128-bit registers: filters become masks, sums stay in
 * registers. Taken when every step and aggregate has a vector form; the row loop does what is left behind the last
 * whole block, and everything when `start` is not at a whole byte of the validity bitmaps.
 */
import { type Expr, i32, i64, i64x2, type Local, v128 } from "../../../wasm/mod.ts";
import { type ColumnWord, inputWord } from "../../column_load.ts";
import type { InputColumn } from "../../program.ts";
import type { RowScope } from "../../scope.ts";
import type { BlockInput } from "../../steps.ts";
import type { GroupCode } from "../group_code.ts";
import { vectorBytes, vectorColumn } from "./vector_column.ts";
import { type VectorScope, vectorExpression } from "./vector_expression.ts";
import { type VectorSink, vectorSink } from "./vector_sink.ts";
import { BLOCK_PAIRS, BLOCK_ROWS, type Pair, type VectorCode } from "./vector_value.ts";

interface VectorPlan {
  /** Masks that a row must pass. */
  readonly filters: readonly VectorCode[];
  readonly sinks: readonly VectorSink[];
}

/** Emits the loop over whole blocks; `row` ends at the first row that is not done. Nothing where it cannot be. */
export function vectorLoop(scope: RowScope, groups: GroupCode, input: BlockInput): void {
  const plan = planLoop(scope, groups, input);
  if (plan === null) return;
  const { f, row } = scope;
  const { start, end } = f.params;
  const whole = i32.and(i32.eqz(i32.and(start, BLOCK_ROWS - 1)), i32.ge_u(i32.sub(end, start), BLOCK_ROWS));
  f.if(whole, () => {
    for (const sink of plan.sinks) sink.open();
    const blockEnd = f.local("i32", "blockEnd");
    f.set(blockEnd, i32.and(end, -BLOCK_ROWS));
    const block = new BlockCode(scope, input.columns);
    f.loop((again) => {
      block.begin();
      for (let index = 0; index < BLOCK_PAIRS; index++) emitPair(block.pair(index), plan);
      f.set(row, i32.add(row, BLOCK_ROWS));
      f.brIf(again, i32.lt_u(row, blockEnd));
    }, "blocks");
    scope.branch(() => {
      for (const sink of plan.sinks) sink.close(groups.code(scope));
    });
  });
}

function emitPair(pair: Pair, plan: VectorPlan): void {
  let selected: Expr<"v128"> | null = null;
  for (const filter of plan.filters) {
    const { value } = filter.emit(pair);
    if (selected === null) selected = value;
    else {
      const both: Local<"v128"> = pair.f.local("v128", "selected");
      pair.f.set(both, v128.and(selected, value));
      selected = both;
    }
  }
  for (const sink of plan.sinks) sink.add(pair, selected);
}

function planLoop(scope: RowScope, groups: GroupCode, input: BlockInput): VectorPlan | null {
  const found = followSteps(input);
  if (found === null) return null;
  const sinks: VectorSink[] = [];
  for (const { argument, accumulator } of groups.layout.accumulators) {
    if (accumulator.total === undefined) return null;
    const code = argument === null ? null : vectorExpression(argument, found.scope, found.name);
    if (argument !== null && code === null) return null;
    const sink = vectorSink(scope, accumulator.total, { code, type: argument?.type ?? null });
    if (sink === null) return null;
    sinks.push(sink);
  }
  return { filters: found.filters, sinks };
}

function followSteps(input: BlockInput): { filters: VectorCode[]; scope: VectorScope; name: string } | null {
  const columns = new Map(input.columns.map((column, index) => [column.name, vectorColumn(column, index)]));
  let scope: VectorScope = (name) => columns.get(name) ?? null;
  let name = "0";
  const filters: VectorCode[] = [];
  for (const [index, step] of input.steps.entries()) {
    switch (step.kind) {
      case "filter": {
        const filter = vectorExpression(step.predicate, scope, name);
        if (filter?.form !== "mask") return null;
        filters.push(filter);
        break;
      }
      case "project": {
        const [source, sourceName] = [scope, name];
        const codes = new Map(
          step.columns.map((column) => [column.name, vectorExpression(column.expression, source, sourceName)]),
        );
        scope = (column) => codes.get(column) ?? null;
        name = String(index + 1);
        break;
      }
      default:
        return null;
    }
  }
  return { filters, scope, name };
}

/** Addresses and validity bytes of the current block, loaded where a pair first needs them. */
class BlockCode {
  readonly #scope: RowScope;
  readonly #columns: readonly InputColumn[];
  readonly #data = new Map<number, Local<"i32">>();
  readonly #validity = new Map<number, Local<"v128">>();

  constructor(scope: RowScope, columns: readonly InputColumn[]) {
    this.#scope = scope;
    this.#columns = columns;
  }

  begin(): void {
    this.#data.clear();
    this.#validity.clear();
  }

  pair(index: number): Pair {
    return {
      f: this.#scope.f,
      index,
      known: new Map(),
      data: (inputColumn) => this.#dataAt(inputColumn),
      validity: (inputColumn) => this.#validityAt(inputColumn),
    };
  }

  #dataAt(inputColumn: number): Local<"i32"> {
    const known = this.#data.get(inputColumn);
    if (known !== undefined) return known;
    const { f, row } = this.#scope;
    const column = this.#columns[inputColumn];
    const bytes = column === undefined ? undefined : vectorBytes(column.type);
    const at = f.local("i32", "block");
    f.set(at, i32.add(this.#word(inputColumn, "data"), i32.mul(row, bytes ?? 0)));
    this.#data.set(inputColumn, at);
    return at;
  }

  #validityAt(inputColumn: number): Local<"v128"> {
    const known = this.#validity.get(inputColumn);
    if (known !== undefined) return known;
    const { f, row } = this.#scope;
    const byte = i64.load8_u(i32.add(this.#word(inputColumn, "validity"), i32.shr_u(row, 3)));
    const bits = f.local("v128", "validity");
    f.set(bits, i64x2.splat(byte));
    this.#validity.set(inputColumn, bits);
    return bits;
  }

  #word(inputColumn: number, word: ColumnWord): Expr<"i32"> {
    return this.#scope.contextWord(inputWord([inputColumn], word));
  }
}
