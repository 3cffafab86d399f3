/** A row on its way to a partition: its keys and the arguments of the aggregates, all that grouping it later needs. */

import type { TypedExpression } from "../../plan/mod.ts";
import { type Expr, i32, i64, type Local } from "../../wasm/mod.ts";
import { copyBytes } from "../emit.ts";
import { expressionKey } from "../expression_key.ts";
import type { RowScope } from "../scope.ts";
import type { Value } from "../value.ts";
import { type EntryCode, rowPosition } from "./accumulator.ts";
import { type ValueSlot, valueSlot } from "./accumulators/value_slot.ts";
import { heapAllocate } from "./heap.ts";
import { type KeyField, type KeyParts, keyField, storeKey } from "./key_field.ts";
import { Packing } from "./packing.ts";
import type { AggregateTerminal } from "./terminal.ts";

export interface RowLayout {
  readonly keys: readonly KeyField[];
  readonly arguments: readonly HeldArgument[];
  /** Offset of the row's position in the input, where an aggregate asks for it. */
  readonly positionOffset: number | null;
  /** Offset of the hash, where making it again would mean reading strings that are far away; else null. */
  readonly hashOffset: number | null;
  readonly bytes: number;
}

interface HeldArgument {
  readonly expression: TypedExpression;
  readonly slot: ValueSlot;
  readonly nullOffset: number | null;
}

export function rowLayout(terminal: AggregateTerminal): RowLayout {
  const packing = new Packing();
  const keys = terminal.keys.map(({ expression }) => keyField(packing, expression));
  const held = new Map<string, HeldArgument>();
  for (const { argument } of terminal.aggregates) {
    if (argument === null || held.has(expressionKey(argument))) continue;
    const slot = valueSlot(packing, argument.type);
    held.set(expressionKey(argument), {
      expression: argument,
      slot,
      nullOffset: argument.nullable ? packing.take(1) : null,
    });
  }
  const hasPosition = terminal.aggregates.some(({ fn }) => fn === "first" || fn === "last");
  const positionOffset = hasPosition ? packing.take(8) : null;
  const hashOffset = keys.some(({ repr }) => repr === "bytes") ? packing.take(4) : null;
  return { keys, arguments: [...held.values()], positionOffset, hashOffset, bytes: packing.bytes };
}

/** Emits the stores of a row at `code.entry`, whose bytes may be anything before. */
export function storeRow(
  code: EntryCode,
  layout: RowLayout,
  row: { readonly keys: readonly KeyParts[]; readonly hash: Local<"i32"> },
): void {
  const { scope, entry, state } = code;
  const { f } = scope;
  layout.keys.forEach((field, i) => {
    const key = row.keys[i] as KeyParts;
    if (field.nullOffset !== null && key.isNull === null) f.emit(i32.store8(entry, 0, field.nullOffset));
    storeKey(scope, { entry, field, state }, key);
  });
  for (const argument of layout.arguments) storeArgument(code, argument, scope.evaluate(argument.expression));
  if (layout.hashOffset !== null) f.emit(i32.store(entry, row.hash, layout.hashOffset));
  if (layout.positionOffset !== null) f.emit(i64.store(entry, rowPosition(code), layout.positionOffset));
}

function storeArgument(code: EntryCode, argument: HeldArgument, value: Value): void {
  const { scope, entry, state } = code;
  const { slot, nullOffset } = argument;
  if (nullOffset !== null) scope.f.emit(i32.store8(entry, value.isNull ?? 0, nullOffset));
  if (value.repr !== "bytes") {
    slot.storeShared(code, value);
    return;
  }
  const store = () => {
    const address = heapAllocate(scope, state, value.bytes);
    scope.f.emit(copyBytes.call(address, value.address, value.bytes));
    slot.storeShared(code, { repr: "bytes", address, bytes: value.bytes });
  };
  if (value.isNull === null) store();
  else
    scope.if(
      value.isNull,
      () => slot.storeShared(code, { repr: "bytes", address: i32.const(0), bytes: i32.const(0) }),
      store,
    );
}

/** Emits the loads of a row's arguments, by the key of their expression. */
export function loadArguments(scope: RowScope, row: Expr<"i32">, layout: RowLayout): ReadonlyMap<string, Value> {
  const { f } = scope;
  const isNull = (nullOffset: number | null): Local<"i32"> | null => {
    if (nullOffset === null) return null;
    const local = f.local("i32", "heldNull");
    f.set(local, i32.load8_u(row, nullOffset));
    return local;
  };
  return new Map(
    layout.arguments.map(({ expression, slot, nullOffset }) => [
      expressionKey(expression),
      { ...slot.load(scope, row), isNull: isNull(nullOffset) },
    ]),
  );
}
