/** Writes finished groups into batches: a pipeline whose rows are the entries of a chunk. */
import { type Expr, i32 } from "../../wasm/mod.ts";
import { type EmittedColumn, emitCode } from "../emit.ts";
import type { GeneratedPipeline } from "../pipeline.ts";
import type { Binding, RowScope } from "../scope.ts";
import { loadKey } from "./key_field.ts";
import { type AggregateLayout, aggregateLayout } from "./layout.ts";
import { finishModule, openModule } from "./module.ts";
import type { AggregateTerminal } from "./terminal.ts";

/** Context word: address of the chunk's first entry. */
export const outputChunkWord = "output.chunk";

/** Exports `run(ctx, start, end)`: entries `start` … `end` of the chunk; empty slots are passed over. */
export function generateOutput(terminal: AggregateTerminal): GeneratedPipeline {
  const layout = aggregateLayout(terminal);
  const { scope, f, row } = openModule(terminal.operator);
  const tagOffset = layout.tables[0]?.tagOffset ?? null;
  const chunk = f.local("i32", "chunk");
  const entry = f.local("i32", "entry");
  f.set(chunk, scope.contextWord(outputChunkWord));
  const bindings = bindResults(scope, { terminal, layout, entry });
  const rows = scope.derive(bindings, terminal.operator);
  const emitted: EmittedColumn[] = [];
  const emit = emitCode({ kind: "emit", operator: terminal.operator, schema: terminal.schema }, emitted);
  emit.prologue?.(rows);
  f.set(row, f.params.start);
  f.while(i32.lt_u(row, f.params.end), () => {
    f.set(entry, i32.add(chunk, i32.mul(row, layout.entryBytes)));
    const emitRow = () => rows.branch(() => emit.row(rows));
    if (tagOffset === null) emitRow();
    else f.if(i32.load(entry, tagOffset), emitRow);
    f.set(row, i32.add(row, 1));
  });
  emit.epilogue?.(rows);
  return finishModule(scope, emitted);
}

function bindResults(
  scope: RowScope,
  from: { readonly terminal: AggregateTerminal; readonly layout: AggregateLayout; readonly entry: Expr<"i32"> },
): Map<string, Binding> {
  const { terminal, layout, entry } = from;
  const bindings = new Map<string, Binding>();
  terminal.keys.forEach(({ name }, index) => {
    const field = layout.keys[index];
    if (field !== undefined) bindings.set(name, { load: () => loadKey(scope, entry, field), origin: null });
  });
  terminal.aggregates.forEach(({ name }, index) => {
    const result = layout.results[index];
    if (result !== undefined) bindings.set(name, { load: () => result(scope, entry), origin: null });
  });
  return bindings;
}
