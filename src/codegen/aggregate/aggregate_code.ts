import { invariant } from "../../kernel/mod.ts";
import { i32 } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import type { TerminalCode } from "../steps.ts";
import { GroupCode } from "./group_code.ts";
import { keyParts } from "./key_field.ts";
import { aggregateLayout } from "./layout.ts";
import { memoPlace } from "./memo.ts";
import { StateWord } from "./memory_layout.ts";
import type { AggregateTerminal } from "./terminal.ts";
import { vectorLoop } from "./vector/vector_loop.ts";

/** For each row: find or make its group in the worker's own table, and update what is kept of it. */
export function aggregateCode(terminal: AggregateTerminal): TerminalCode {
  const layout = aggregateLayout(terminal);
  let groups: GroupCode | null = null;
  return {
    prologue(scope) {
      groups = new GroupCode(scope, layout);
      const { f } = scope;
      const rows = i32.add(i32.load(groups.state, StateWord.rows), i32.sub(f.params.end, f.params.start));
      f.emit(i32.store(groups.state, rows, StateWord.rows));
    },
    blocks(scope, input) {
      if (groups?.table === null) vectorLoop(scope.within(terminal.operator), groups, input);
    },
    row(outer) {
      const scope = outer.within(terminal.operator);
      invariant(groups !== null, "rows without prologue");
      findGroup(scope, terminal, groups);
      for (const { argument, accumulator } of layout.accumulators) {
        accumulator.update(groups.code(scope), argument === null ? null : scope.evaluate(argument));
      }
    },
  };
}

function findGroup(scope: RowScope, terminal: AggregateTerminal, groups: GroupCode): void {
  if (groups.table === null) return;
  const { f } = scope;
  const place = memoPlace(scope, terminal.keys, groups.state);
  if (place === null) {
    findByHash(scope, terminal, groups);
    return;
  }
  // Address 0 holds 0: no entry.
  f.set(groups.entry, i32.load(place));
  scope.if(i32.eqz(groups.entry), () => {
    findByHash(scope, terminal, groups);
    f.if(place, () => f.emit(i32.store(place, groups.entry)));
  });
}

function findByHash(scope: RowScope, terminal: AggregateTerminal, groups: GroupCode): void {
  const keys = terminal.keys.map(({ expression }) => keyParts(scope, scope.evaluate(expression)));
  if (groups.table !== null) groups.findOrAppend(scope, { keys, hash: groups.table.hash(keys) });
}
