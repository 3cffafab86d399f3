/** Reads the build side's entries again after the probe: those with, or those without, a match. */
import { emptyBatch, NULL_ROW, type Schema, schema, valueType } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import { i32 } from "../../wasm/mod.ts";
import { finishModule, openModule } from "../aggregate/mod.ts";
import { type EmittedColumn, emitCode } from "../emit.ts";
import type { GeneratedPipeline } from "../pipeline.ts";
import type { Binding } from "../scope.ts";
import { isNested, reprOf } from "../value.ts";
import { entryBindings, nullValue } from "./entry.ts";
import { entryLayout } from "./layout.ts";
import { type BuildShape, Status } from "./shape.ts";

/** Context word: address of the chunk's first entry. */
export const restChunkWord = "rest.chunk";

export interface RestSpec {
  readonly shape: BuildShape;
  readonly gives: "matched" | "unmatched";
  /** Of the join's output; columns that are not the build side's are null. */
  readonly schema: Schema;
}

/** A batch of no rows with the nested columns that code of `generateRest` refers to, all of whose rows are null. */
export function restInput(spec: RestSpec) {
  return emptyBatch(schema(spec.schema.fields.filter((field) => isNested(field.type))));
}

/** Exports `run(ctx, start, end)`: entries `start` … `end` of the chunk. */
export function generateRest(spec: RestSpec): GeneratedPipeline {
  const { shape } = spec;
  const layout = entryLayout(shape);
  const { scope, f, row } = openModule(shape.operator);
  const chunk = f.local("i32", "chunk");
  const entry = f.local("i32", "entry");
  f.set(chunk, scope.contextWord(restChunkWord));
  const bindings = new Map([...nullBindings(spec.schema), ...entryBindings(scope, layout, entry)]);
  const rows = scope.derive(bindings, shape.operator);
  const emitted: EmittedColumn[] = [];
  const emit = emitCode({ kind: "emit", operator: shape.operator, schema: spec.schema }, emitted);
  const { statusOffset } = layout;
  invariant(statusOffset !== null, "entries know whether they were matched");
  emit.prologue?.(rows);
  f.set(row, f.params.start);
  f.while(i32.lt_u(row, f.params.end), () => {
    f.set(entry, i32.add(chunk, i32.mul(row, layout.entryBytes)));
    const matched = i32.eq(i32.load8_u(entry, statusOffset), Status.matched);
    rows.if(spec.gives === "matched" ? matched : i32.eqz(matched), () => emit.row(rows));
    f.set(row, i32.add(row, 1));
  });
  emit.epilogue?.(rows);
  return finishModule(scope, emitted);
}

function nullBindings(output: Schema): Map<string, Binding> {
  const bindings = new Map<string, Binding>();
  let nestedColumns = 0;
  for (const { name, type } of output.fields) {
    if (isNested(type)) {
      const inputColumn = nestedColumns++;
      const origin = { inputColumn, path: [inputColumn], row: i32.const(NULL_ROW), index: null, isNull: null };
      bindings.set(name, { load: () => invariant(false, "nested columns are only carried") as never, origin });
    } else {
      const value = valueType(type);
      bindings.set(name, { load: () => nullValue(value, reprOf(value)), origin: null });
    }
  }
  return bindings;
}
