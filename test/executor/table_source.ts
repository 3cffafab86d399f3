/** A source for tests: tables that every executor of this process sees, in many small splits. */
import { type Batch, BatchBuilder, type CellInput, type Schema, selectColumns } from "../../src/arrow/mod.ts";
import { type Source, type Split, sources } from "../../src/connectors/mod.ts";
import type { LogicalNode } from "../../src/plan/mod.ts";

export const TABLE = "table";
const SPLIT_ROWS = 16;

export interface TestRows {
  readonly schema: Schema;
  readonly rows: readonly (readonly CellInput[])[];
  /** Waited for before each batch of rows. */
  readonly pause?: () => Promise<void>;
}

export const tables = new Map<string, TestRows>();

function tableOf(options: { readonly [key: string]: unknown }): TestRows {
  const table = tables.get(String(options["table"]));
  if (table === undefined) throw new Error(`no table ${String(options["table"])}`);
  return table;
}

const source: Source = {
  describe({ options }) {
    const { schema, rows } = tableOf(options);
    return { schema, rowCount: rows.length, rowCountExact: true, files: [] };
  },
  splits({ options }): Split[] {
    const { rows } = tableOf(options);
    const count = Math.max(1, Math.ceil(rows.length / SPLIT_ROWS));
    return Array.from({ length: count }, (_, index) => {
      return { index, estimatedRows: SPLIT_ROWS, estimatedBytes: SPLIT_ROWS * 8, data: index };
    });
  },
  open({ options }, request, split, context) {
    const { schema, rows, pause } = tableOf(options);
    const start = Number(split.data) * SPLIT_ROWS;
    let at = start;
    const end = Math.min(rows.length, start + SPLIT_ROWS);
    return {
      async read(maxRows): Promise<Batch | null> {
        if (at >= end) return null;
        await pause?.();
        const taken = rows.slice(at, Math.min(end, at + maxRows));
        at += taken.length;
        const builder = new BatchBuilder(context.arena, schema, context.owner, Math.max(1, taken.length));
        try {
          for (const row of taken) builder.appendValues([...row]);
          return selectColumns(builder.finish(), request.columns);
        } catch (error) {
          builder.abort();
          throw error;
        }
      },
      position: () => at,
      close: () => undefined,
    };
  },
};

(sources as Map<string, Source>).set(TABLE, source);

export function tableScan(table: string): LogicalNode {
  return { kind: "scan", source: { connector: TABLE, options: { table } } };
}
