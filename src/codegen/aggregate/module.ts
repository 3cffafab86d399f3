import type { OperatorId } from "../../plan/mod.ts";
import type { Local } from "../../wasm/mod.ts";
import type { EmittedColumn } from "../emit.ts";
import { compileExpression } from "../expression/mod.ts";
import type { GeneratedPipeline } from "../pipeline.ts";
import { Program } from "../program.ts";
import { type RowFunction, RowScope } from "../scope.ts";

/** A module that does not read a batch: its function `run(ctx, start, end)`, open, with no columns in scope. */
export function openModule(operator: OperatorId): {
  readonly scope: RowScope;
  readonly f: RowFunction;
  readonly row: Local<"i32">;
} {
  const program = new Program();
  const params = { ctx: "i32", start: "i32", end: "i32" } as const;
  const f = program.module.function("run", { params, results: [], export: true });
  const row = f.local("i32", "row");
  const scope = new RowScope({ program, f, row, compile: compileExpression, operator }, new Map());
  return { scope, f, row };
}

export function finishModule(scope: RowScope, emitted: readonly EmittedColumn[]): GeneratedPipeline {
  const { program } = scope;
  return {
    bytes: program.module.bytes(),
    text: () => program.module.text(),
    context: program.context,
    sites: program.sites,
    emitted,
    resources: program.resources(),
  };
}
