import { type Batch, BatchBuilder, type Schema } from "../../arrow/mod.ts";
import type { ConnectorSpec } from "../../plan/mod.ts";
import type { RowsSourceOptions } from "../../stream/mod.ts";
import type { Source, SourceContext, SourceRequest, SplitReader } from "../contract.ts";
import { asConnectorError } from "../error.ts";

const SPLIT_ROWS = 65_536;

/** Rows that stand in the plan itself. A split is a range of them, so that they are not posted twice. */
export const rowsSource: Source = {
  describe(spec) {
    const { schema, rows } = optionsOf(spec);
    return { schema, rowCount: rows.length, rowCountExact: true, files: [] };
  },

  splits(spec, request) {
    const { rows } = optionsOf(spec);
    const total = request.predicate === null ? Math.min(rows.length, request.rowLimit ?? rows.length) : rows.length;
    const splits = [];
    for (let start = 0; start < total; start += SPLIT_ROWS) {
      const end = Math.min(start + SPLIT_ROWS, total);
      const estimatedBytes = (end - start) * request.columns.length * 8;
      splits.push({
        index: splits.length,
        estimatedRows: end - start,
        estimatedBytes,
        data: { start, end } satisfies Range,
      });
    }
    return splits;
  },

  open(spec, request, split, context) {
    return new RowsReader(optionsOf(spec), { request, range: split.data as Range, context });
  },
};

interface Range {
  readonly start: number;
  readonly end: number;
}

function optionsOf(spec: ConnectorSpec): RowsSourceOptions {
  return spec.options as unknown as RowsSourceOptions; // written by `Stream.fromRows`
}

class RowsReader implements SplitReader {
  private readonly options: RowsSourceOptions;
  private readonly end: number;
  private readonly context: SourceContext;
  private readonly schema: Schema;
  private readonly indices: readonly number[];
  private next: number;

  constructor(options: RowsSourceOptions, parts: { request: SourceRequest; range: Range; context: SourceContext }) {
    this.options = options;
    this.context = parts.context;
    this.next = parts.range.start;
    this.end = parts.range.end;
    this.indices = parts.request.columns.map((name) => options.schema.fields.findIndex((field) => field.name === name));
    this.schema = { fields: this.indices.flatMap((index) => options.schema.fields[index] ?? []) };
  }

  read(maxRows: number): Batch | null {
    if (this.next >= this.end || this.context.signal.aborted) return null;
    const { arena, owner } = this.context;
    const end = Math.min(this.next + maxRows, this.end);
    const builder = new BatchBuilder(arena, this.schema, owner, end - this.next);
    let row = this.next;
    try {
      for (; row < end; row++) {
        const cells = this.options.rows[row] ?? [];
        builder.appendValues(this.indices.map((index) => cells[index] ?? null));
      }
      this.next = end;
      return builder.finish();
    } catch (cause) {
      builder.abort();
      throw asConnectorError(cause, "badRow", () => `Row ${row} of the given rows`);
    }
  }

  position(): unknown {
    return { next: this.next };
  }

  close(): void {
    this.next = this.end;
  }
}
