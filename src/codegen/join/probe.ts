/** The probe step as data, and how a row finds the first entry that may match. */
import { invariant, unreachable } from "../../kernel/mod.ts";
import type { OperatorId, TypedExpression } from "../../plan/mod.ts";
import { i32, type Local } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import type { RowKeys } from "./entry.ts";
import { denseIndex, slotAt } from "./link_code.ts";
import { type BuildShape, type Placement, type TableAddresses, tableWords } from "./shape.ts";

/** What comes out for a row of the probe side. */
export type ProbeOutput =
  /** One row for each match. */
  | "matches"
  /** The same, and one with nulls when there is none. */
  | "matchesOrNull"
  /** The row itself when there is a match, or when there is none. */
  | "exists"
  | "absent"
  /** Nothing: matches are only noted in the entries. */
  | "nothing";

export interface ProbeStep {
  readonly kind: "probe";
  readonly operator: OperatorId;
  readonly shape: BuildShape;
  readonly placement: Placement;
  /** Not part of the code, which finds them in its context block: code serves many runs of a job. */
  readonly addresses: TableAddresses;
  /** Over the probe side's columns, of the types of the shape's keys. */
  readonly keys: readonly TypedExpression[];
  /** Over both sides' columns; part of the match. */
  readonly residual: TypedExpression | null;
  readonly output: ProbeOutput;
  /** The table is larger than what a core has close by: rows look ahead. */
  readonly isFar: boolean;
}

export interface TableLocals {
  readonly directory: Local<"i32">;
  readonly nullEntry: Local<"i32"> | null;
}

export function loadAddresses(scope: RowScope, step: ProbeStep): TableLocals {
  const words = tableWords(step.operator);
  const load = (name: string) => {
    const local = scope.f.local("i32", "table");
    scope.f.set(local, scope.contextWord(name));
    return local;
  };
  return { directory: load(words.directory), nullEntry: step.shape.hasNullEntry ? load(words.nullEntry) : null };
}

/** Emits the load of the first entry of the row's chain; 0 where there is none. */
export function findFirst(
  scope: RowScope,
  of: {
    readonly placement: Placement;
    readonly table: TableLocals;
    readonly row: { readonly keys: RowKeys; readonly hash: Local<"i32"> | null; readonly entry: Local<"i32"> };
  },
): void {
  const { f } = scope;
  const { placement, table } = of;
  const { keys, hash, entry } = of.row;
  const load = () => {
    const index = f.local("i32", "slotIndex");
    switch (placement.kind) {
      case "all":
        return f.set(entry, i32.load(table.directory));
      case "hash":
        invariant(hash !== null, "a hash table needs a hash");
        f.set(index, i32.shr_u(hash, placement.shift));
        return f.set(entry, i32.load(slotAt(table.directory, index)));
      case "dense":
        denseIndex(scope, { key: keys.parts[0], placement, index });
        f.set(entry, 0);
        return f.if(i32.lt_u(index, placement.slotCount), () => {
          f.set(entry, i32.load(slotAt(table.directory, index)));
        });
      default:
        return unreachable(placement);
    }
  };
  if (keys.anyNull === null) load();
  else {
    f.set(entry, 0);
    f.if(i32.eqz(keys.anyNull), load);
  }
}
