import { type Batch, BatchBuilder, type CellInput, type Field, type Schema } from "../../arrow/mod.ts";
import type { ConnectorSpec } from "../../plan/mod.ts";
import type { GenerateSourceOptions } from "../../stream/mod.ts";
import type { Source, SourceContext, SourceRequest, Split, SplitReader } from "../contract.ts";
import { asConnectorError, ConnectorError } from "../error.ts";
import { valueAt } from "./values.ts";

const SPLIT_ROWS_MIN = 1 << 18;
/** Of more rows, splits are longer: a list of millions of splits takes seconds to make and to hand out. */
const SPLITS_MAX = 1 << 14;

/** Made-up rows: the same for the same options, however they are split. */
export const generateSource: Source = {
  describe(spec) {
    const options = optionsOf(spec);
    return { schema: schemaOf(options), rowCount: options.rows, rowCountExact: true, files: [] };
  },

  splits(spec, request) {
    const { rows } = optionsOf(spec);
    const total = request.predicate === null ? Math.min(rows, request.rowLimit ?? rows) : rows;
    const splitRows = Math.max(SPLIT_ROWS_MIN, Math.ceil(total / SPLITS_MAX));
    const splits: Split[] = [];
    for (let start = 0; start < total; start += splitRows) {
      const data: Range = { start, end: Math.min(start + splitRows, total) };
      const count = data.end - data.start;
      splits.push({
        index: splits.length,
        estimatedRows: count,
        estimatedBytes: count * request.columns.length * 8,
        data,
      });
    }
    return splits;
  },

  open(spec, request, split, context) {
    return new GenerateReader(optionsOf(spec), { request, range: split.data as Range, context });
  },
};

interface Range {
  readonly start: number;
  readonly end: number;
}

function optionsOf(spec: ConnectorSpec): GenerateSourceOptions {
  const options = spec.options as unknown as GenerateSourceOptions; // written by `Stream.generate`
  if (Number.isSafeInteger(options.rows) && options.rows >= 0) return options;
  throw new ConnectorError(
    "option",
    `Cannot generate ${options.rows} rows: the number must be whole and not negative.`,
  );
}

function schemaOf(options: GenerateSourceOptions): Schema {
  return {
    fields: options.columns.map(({ name, type, nullFraction, values }): Field => {
      return { name, type, nullable: nullFraction > 0 || (values.kind === "constant" && values.value === null) };
    }),
  };
}

class GenerateReader implements SplitReader {
  private readonly context: SourceContext;
  private readonly schema: Schema;
  private readonly values: readonly ((row: number) => CellInput)[];
  private readonly end: number;
  private next: number;

  constructor(options: GenerateSourceOptions, parts: { request: SourceRequest; range: Range; context: SourceContext }) {
    const { fields } = schemaOf(options);
    const positions = parts.request.columns.map((name) => options.columns.findIndex((column) => column.name === name));
    this.context = parts.context;
    this.schema = { fields: positions.flatMap((position) => fields[position] ?? []) };
    this.values = positions.flatMap((position) => {
      const column = options.columns[position];
      return column === undefined ? [] : [valueAt(column, position, options.seed)];
    });
    this.next = parts.range.start;
    this.end = parts.range.end;
  }

  read(maxRows: number): Batch | null {
    if (this.next >= this.end || this.context.signal.aborted) return null;
    const end = Math.min(this.next + maxRows, this.end);
    const builder = new BatchBuilder(this.context.arena, this.schema, this.context.owner, end - this.next);
    const cells: CellInput[] = [];
    let row = this.next;
    try {
      for (; row < end; row++) {
        for (let c = 0; c < this.values.length; c++) cells[c] = (this.values[c] as (row: number) => CellInput)(row);
        builder.appendValues(cells);
      }
      this.next = end;
      return builder.finish();
    } catch (cause) {
      builder.abort();
      throw asConnectorError(cause, "badRow", () => `Generated row ${row}`);
    }
  }

  position(): unknown {
    return { next: this.next };
  }

  close(): void {
    this.next = this.end;
  }
}
