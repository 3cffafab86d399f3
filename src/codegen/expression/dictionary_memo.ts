/**
 * Costly functions of one dictionary column are computed once a distinct value: the first row that has the value
 * computes and stores the result, later rows load it. Nothing is computed that no row asks for, so a value that only
 * occurs in filtered rows cannot fail. Null rows are computed as usual, and everything is where the host gave no memory.
 */
import { isBinary, isString, valueType } from "../../arrow/mod.ts";
import { invariant, unreachable } from "../../kernel/mod.ts";
import type { TypedExpression } from "../../plan/mod.ts";
import { type Expr, f32, f64, i32, i64, type Local } from "../../wasm/mod.ts";
import type { Origin, RowScope } from "../scope.ts";
import { isNested, reprOf, type Value } from "../value.ts";
import { keep, type Slot, slotOf } from "./support.ts";

/** First byte of an entry; 0 where nothing is known yet. */
const STATE = { false: 1, true: 2, null: 3, value: 2 } as const;

/** A boolean is its state; a number has it in the first and its value in the second 8 bytes. */
const BOOL_SHIFT = 0;
const NUMBER_SHIFT = 4;
const NUMBER_OFFSET = 8;

/** The dictionary column that `expression` is a costly function of; null when it is not worth remembering. */
export function memoColumn(scope: RowScope, expression: TypedExpression): Origin | null {
  if (scope.program.insideMemo || !isCostly(expression) || isNested(expression.type)) return null;
  const repr = reprOf(valueType(expression.type));
  if (repr === "bytes" || repr === "i128") return null;
  const columns = columnsOf(expression);
  const [name] = columns;
  if (name === undefined || columns.size > 1) return null;
  const origin = scope.origin(name);
  return origin?.index ? origin : null;
}

export function compileRemembered(
  scope: RowScope,
  expression: TypedExpression,
  options: { origin: Origin; compute: () => Value },
): Value {
  const { f, program } = scope;
  const { origin, compute } = options;
  invariant(origin.index !== null, "a dictionary column");
  const isBool = expression.type.kind === "bool";
  const entry = entryOf(scope, origin, isBool ? BOOL_SHIFT : NUMBER_SHIFT);
  const slot = slotOf(scope, expression.type, "remembered");
  const isNull = f.local("i32", "remembered_null");
  const state = f.local("i32", "state");
  let canBeNull = false;
  f.set(state, 0);
  f.if(entry, () => f.set(state, i32.load8_u(entry)));
  scope.if(
    state,
    () => {
      slot.set({ ...recalled(slot, { entry, state, isBool }) });
      f.set(isNull, i32.eq(state, STATE.null));
    },
    () => {
      program.insideMemo = true;
      const value = compute();
      program.insideMemo = false;
      canBeNull = value.isNull !== null;
      slot.set(value);
      f.set(isNull, value.isNull ?? 0);
      f.if(entry, () => remember(scope, { entry, isNull, slot, isBool }));
    },
  );
  return { type: expression.type, isNull: canBeNull ? isNull : null, ...slot.parts };
}

/** Address of the entry of the row's value; 0 where the row is null or the host gave no memory. */
function entryOf(scope: RowScope, origin: Origin, shift: number): Local<"i32"> {
  const { f, program } = scope;
  const entry = f.local("i32", "entry");
  f.set(entry, scope.contextWord(program.dictionaryMemo(origin.inputColumn, 1 << shift)));
  const useEntry = () => {
    const index = origin.index?.() ?? i32.const(0);
    f.set(entry, i32.add(entry, shift === 0 ? index : i32.shl(index, shift)));
  };
  const isNull = origin.isNull?.() ?? null;
  if (isNull !== null) f.if(isNull, () => f.set(entry, 0));
  f.if(entry, useEntry);
  return entry;
}

interface Entry {
  readonly entry: Expr<"i32">;
  readonly isBool: boolean;
}

function recalled(slot: Slot, options: Entry & { state: Expr<"i32"> }): Value & object {
  const { entry, state, isBool } = options;
  const base = { type: { kind: "null" }, isNull: null } as const;
  if (isBool) return { ...base, repr: "i32", value: i32.eq(state, STATE.true) };
  switch (slot.parts.repr) {
    case "i32":
      return { ...base, repr: "i32", value: i32.load(entry, NUMBER_OFFSET) };
    case "i64":
      return { ...base, repr: "i64", value: i64.load(entry, NUMBER_OFFSET) };
    case "f32":
      return { ...base, repr: "f32", value: f32.load(entry, NUMBER_OFFSET) };
    case "f64":
      return { ...base, repr: "f64", value: f64.load(entry, NUMBER_OFFSET) };
    case "i128":
    case "bytes":
      throw new TypeError(`${slot.parts.repr} is not remembered`);
    default:
      return unreachable(slot.parts);
  }
}

function remember(scope: RowScope, options: Entry & { isNull: Expr<"i32">; slot: Slot }): void {
  const { f } = scope;
  const { entry, isNull, slot, isBool } = options;
  const { parts } = slot;
  if (isBool) {
    invariant(parts.repr === "i32", "a bool is an i32");
    const state = keep(scope, i32.add(parts.value, STATE.false), "state");
    f.emit(i32.store8(entry, state));
  } else {
    f.emit(i32.store8(entry, STATE.value));
    if (parts.repr === "i32") f.emit(i32.store(entry, parts.value, NUMBER_OFFSET));
    if (parts.repr === "i64") f.emit(i64.store(entry, parts.value, NUMBER_OFFSET));
    if (parts.repr === "f32") f.emit(f32.store(entry, parts.value, NUMBER_OFFSET));
    if (parts.repr === "f64") f.emit(f64.store(entry, parts.value, NUMBER_OFFSET));
  }
  f.if(isNull, () => f.emit(i32.store8(entry, STATE.null)));
}

function childrenOf(expression: TypedExpression): readonly TypedExpression[] {
  switch (expression.kind) {
    case "column":
    case "literal":
      return [];
    case "call":
      return expression.args;
    case "cast":
    case "in":
    case "field":
      return [expression.operand];
    case "case": {
      const branches = expression.branches.flatMap(({ when, then }) => [when, then]);
      return expression.otherwise === null ? branches : [...branches, expression.otherwise];
    }
    default:
      return unreachable(expression);
  }
}

const columnSets = new WeakMap<TypedExpression, ReadonlySet<string>>();

function columnsOf(expression: TypedExpression): ReadonlySet<string> {
  const known = columnSets.get(expression);
  if (known !== undefined) return known;
  const own = expression.kind === "column" ? [expression.name] : [];
  const columns = new Set([...own, ...childrenOf(expression).flatMap((child) => [...columnsOf(child)])]);
  columnSets.set(expression, columns);
  return columns;
}

const costly = new WeakMap<TypedExpression, boolean>();

/** Reads the bytes of text or binary somewhere. */
function isCostly(expression: TypedExpression): boolean {
  const known = costly.get(expression);
  if (known !== undefined) return known;
  const children = childrenOf(expression);
  const isNullTest = expression.kind === "call" && (expression.fn === "isNull" || expression.fn === "isNotNull");
  const readsText = children.some(({ type }) => isString(valueType(type)) || isBinary(valueType(type)));
  const result = expression.kind !== "field" && ((readsText && !isNullTest) || children.some(isCostly));
  costly.set(expression, result);
  return result;
}
