import type { DataType, Schema } from "../../src/arrow/mod.ts";
import { schema } from "../../src/arrow/mod.ts";
import { bind, type ConnectorSpec, explainPlan, optimise, type Plan } from "../../src/plan/mod.ts";
import { type AnyExpr, Dataflow, type SchemaInput, Sink, Stream } from "../../src/stream/mod.ts";

/** Columns of a source by what it says itself. */
export function schemaOf({ connector, options }: ConnectorSpec): Schema {
  if (connector !== "generate") return options["schema"] as Schema;
  const columns = options["columns"] as readonly { name: string; type: DataType; nullFraction: number }[];
  return schema(columns.map((c) => ({ name: c.name, type: c.type, nullable: c.nullFraction > 0 })));
}

export function planOf(...roots: readonly (Stream | Sink)[]): Plan {
  const flow = Dataflow.of(
    "test",
    roots.map((r) => r.node),
  );
  return bind(flow.plan, schemaOf);
}

/** A file with these columns. */
export function table(columns: SchemaInput, name = "t.parquet"): Stream {
  return Stream.fromParquet(name, { schema: columns }) as Stream;
}

export function optimised(stream: Stream, rows: Readonly<Record<string, number>> = {}): string {
  const rowCount = (spec: ConnectorSpec) => rows[String((spec.options["paths"] as string[] | undefined)?.[0])] ?? null;
  return `\n${explainPlan(optimise(planOf(stream), { rowCount }))}\n`;
}

/** Bound form of one expression over columns of these types. */
export function typed(columns: SchemaInput, e: AnyExpr) {
  const root = planOf(table(columns).select(e.alias("x"))).roots[0];
  const expression = root?.kind === "project" ? root.columns[0]?.expression : undefined;
  if (expression === undefined) throw new Error("not a projection");
  return expression;
}

export function messageOf(build: () => unknown): string {
  try {
    build();
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message}`;
  }
  throw new Error("nothing was thrown");
}
