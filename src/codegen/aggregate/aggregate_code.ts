import { invariant } from "../../kernel/mod.ts";
import { i32, type Local } from "../../wasm/mod.ts";
import type { RowScope } from "../scope.ts";
import type { TerminalCode } from "../steps.ts";
import { GroupCode } from "./group_code.ts";
import { keyParts } from "./key_field.ts";
import { aggregateLayout } from "./layout.ts";
import { memoPlace } from "./memo.ts";
import { StateWord } from "./memory_layout.ts";
import { appendRow } from "./partition_code.ts";
import type { AggregateTerminal } from "./terminal.ts";
import { vectorLoop } from "./vector/vector_loop.ts";

/** For each row: find or make its group in the worker's own table, and update what is kept of it. */
export function aggregateCode(terminal: AggregateTerminal): TerminalCode {
  const layout = aggregateLayout(terminal);
  let groups: GroupCode | null = null;
  let rowCount: Local<"i32"> | null = null;
  return {
    prologue(scope) {
      groups = new GroupCode(scope, layout);
      rowCount = scope.f.local("i32", "rowCount");
      scope.f.set(rowCount, i32.load(groups.state, StateWord.rows));
    },
    blocks(scope, input) {
      if (groups?.table === null) vectorLoop(scope.within(terminal.operator), groups, input);
    },
    row(outer) {
      const scope = outer.within(terminal.operator);
      invariant(groups !== null, "rows without prologue");
      const into = groups;
      if (rowCount !== null) scope.f.set(rowCount, i32.add(rowCount, 1));
      const { rows } = layout;
      if (rows === null) groupRow(scope, terminal, into);
      else {
        const partitions = scope.f.local("i32", "partitions");
        scope.f.set(partitions, i32.load(into.state, StateWord.partitions));
        scope.if(
          partitions,
          () => appendRow(into.code(scope), { layout: rows, partitions, ...keysOf(scope, terminal, into) }),
          () => groupRow(scope, terminal, into),
        );
      }
    },
    epilogue({ f }) {
      if (groups !== null && rowCount !== null) f.emit(i32.store(groups.state, rowCount, StateWord.rows));
    },
  };
}

function groupRow(scope: RowScope, terminal: AggregateTerminal, groups: GroupCode): void {
  findGroup(scope, terminal, groups);
  for (const { argument, accumulator } of groups.layout.accumulators) {
    accumulator.update(groups.code(scope), argument === null ? null : scope.evaluate(argument));
  }
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
  groups.find(scope, keysOf(scope, terminal, groups));
}

function keysOf(scope: RowScope, terminal: AggregateTerminal, groups: GroupCode) {
  invariant(groups.table !== null, "keys without a table");
  const keys = terminal.keys.map(({ expression }) => keyParts(scope, scope.evaluate(expression)));
  return { keys, hash: groups.table.hash(keys) };
}
