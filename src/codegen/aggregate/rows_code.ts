/** Groups the rows of a partition, chunk by chunk, in a table of that part of the hash space. */

import { invariant } from "../../kernel/mod.ts";
import { i32, i64 } from "../../wasm/mod.ts";
import { expressionKey } from "../expression_key.ts";
import type { GeneratedPipeline } from "../pipeline.ts";
import { GroupCode } from "./group_code.ts";
import { loadKeyParts } from "./key_field.ts";
import { aggregateLayout } from "./layout.ts";
import { PARTITION_BITS } from "./memory_layout.ts";
import { finishModule, openModule } from "./module.ts";
import { loadArguments } from "./row_layout.ts";
import type { AggregateTerminal } from "./terminal.ts";

/** Context word: address of the first row. */
export const rowsWord = "rows.first";

/** Exports `run(ctx, start, end)`: these rows of the chunk. */
export function generateRows(terminal: AggregateTerminal): GeneratedPipeline {
  const layout = aggregateLayout(terminal);
  const { rows } = layout;
  const { scope, f, row } = openModule(terminal.operator);
  const groups = new GroupCode(scope, layout);
  const { table } = groups;
  invariant(rows !== null && table !== null, "rows that went to partitions have a layout");
  const from = f.local("i32", "from");
  const hash = f.local("i32", "partHash");
  const position = f.local("i64", "position");
  f.set(from, i32.add(scope.contextWord(rowsWord), i32.mul(f.params.start, rows.bytes)));
  f.set(row, f.params.start);
  f.while(i32.lt_u(row, f.params.end), () => {
    scope.branch(() => {
      const keys = rows.keys.map((field) => loadKeyParts(scope, from, field));
      // As in a merge: what is left of a tag when the bits that all have here are gone.
      const whole = rows.hashOffset === null ? table.hash(keys) : i32.load(from, rows.hashOffset);
      f.set(hash, i32.shl(i32.or(whole, 1), PARTITION_BITS));
      groups.find(scope, { keys, hash, storing: "shared" });
      const values = loadArguments(scope, from, rows);
      if (rows.positionOffset !== null) f.set(position, i64.load(from, rows.positionOffset));
      for (const { argument, accumulator } of layout.accumulators) {
        const value = argument === null ? null : (values.get(expressionKey(argument)) ?? null);
        accumulator.update({ ...groups.code(scope), position }, value);
      }
    });
    f.set(from, i32.add(from, rows.bytes));
    f.set(row, i32.add(row, 1));
  });
  return finishModule(scope, []);
}
