// oxlint-disable typescript/no-unsafe-return -- rows of overloads are computed by TypeScript alone: a Stream<Open> is any of them
import type { LogicalNode, LogicalUserFunction, UserFunction } from "../plan/mod.ts";
import { PlanError } from "../plan/mod.ts";
import { Dataflow } from "./dataflow.ts";
import { type ColumnGenerator, type GeneratedRow, type GenerateOptions, generateOptions } from "./generate.ts";
import { GroupedStream } from "./group.ts";
import { type JoinedRow, type JoinOptions, joinNode } from "./join.ts";
import { type OrderInput, sortKeys } from "./order.ts";
import { noteOrigins } from "./origins.ts";
import {
  type CellOfInput,
  type ExpressionInput,
  type NameOfInput,
  resolve,
  resolveColumns,
  resolveNamed,
} from "./resolve.ts";
import { rowsOptions } from "./rows.ts";
import { type RunOptions, runner } from "./runner.ts";
import { schemaFrom } from "./schema.ts";
import {
  type ArrowWriteOptions,
  arrowSink,
  type CsvWriteOptions,
  csvSink,
  type JsonWriteOptions,
  jsonSink,
  type ParquetWriteOptions,
  parquetSink,
  type Sink,
} from "./sinks.ts";
import {
  arrowScan,
  type CsvReadOptions,
  csvScan,
  type JsonReadOptions,
  jsonScan,
  type PathsInput,
  parquetScan,
  type SchemaOption,
  scan,
} from "./sources.ts";
import type { ColumnName, Flat, InferredRow, IsOpen, Open, RowInput, RowOf, SchemaInput } from "./types.ts";
import type { AnyTable, BatchColumns, BatchTable } from "./user_batch.ts";

/** The row of a source: of its declared schema, else open. */
type SourceRow<S> = [S] extends [SchemaInput] ? (string extends keyof S ? Open : RowOf<S>) : Open;

/** Row that `{ name: expression }` gives. */
export type NamedRow<A, R> = { -readonly [K in keyof A]: CellOfInput<A[K], R> };

/** Row that `"a", col("b").alias("c")` gives; open when a name is only known when it runs. */
type SelectedRow<A extends readonly unknown[], R> =
  string extends NameOfInput<A[number]> ? Open : Flat<{ [I in A[number] as NameOfInput<I>]: CellOfInput<I, R> }>;

type WithRow<R, A> = IsOpen<R> extends true ? Open : Flat<Omit<R, keyof A> & A>;

type RenamedRow<R, M> =
  IsOpen<R> extends true ? Open : { [K in keyof R as K extends keyof M ? (M[K] extends string ? M[K] : K) : K]: R[K] };

type ItemOf<T> = IsOpen<T> extends true ? Open : NonNullable<T> extends readonly (infer Item)[] ? Item : Open;

/**
 * A stream of rows: an immutable description. Every operator gives a new stream; nothing runs until a job with it does,
 * or until `collect()`, `for await` or a sink's `run()` from a program. `R` is the row, column names to JavaScript cells.
 *
 * Wherever an expression goes: a column's name, `col("a")…`, or a callback over the columns `c => c.a.gt(1)`. Unknown
 * columns and wrong types are a `PlanError` when the dataflow is planned, and a TypeScript error where the schema is
 * declared.
 */
export class Stream<R = Open> {
  declare protected readonly row: R;
  readonly node: LogicalNode;

  constructor(node: LogicalNode) {
    this.node = Object.freeze(node);
  }

  // sources

  /** Files, directories or globs of Parquet. */
  static fromParquet<const S extends SchemaInput = never>(
    paths: PathsInput,
    options: SchemaOption<S> = {},
  ): Stream<SourceRow<S>> {
    return new Stream(parquetScan(paths, options));
  }

  /** Delimited text; types are inferred unless a schema is declared. */
  static fromCsv<const S extends SchemaInput = never>(
    paths: PathsInput,
    options: CsvReadOptions<S> = {},
  ): Stream<SourceRow<S>> {
    return new Stream(csvScan(paths, options));
  }

  /** One JSON object a line, or one array of objects. */
  static fromJson<const S extends SchemaInput = never>(
    paths: PathsInput,
    options: JsonReadOptions<S> = {},
  ): Stream<SourceRow<S>> {
    return new Stream(jsonScan(paths, options));
  }

  /** Arrow IPC, file or stream format. */
  static fromArrow<const S extends SchemaInput = never>(
    paths: PathsInput,
    options: SchemaOption<S> = {},
  ): Stream<SourceRow<S>> {
    return new Stream(arrowScan(paths, options));
  }

  /** Rows of a program. Without a schema numbers are float64, bigints int64, Dates timestamp[ms]. */
  static fromRows<const S extends SchemaInput>(rows: readonly RowInput<RowOf<S>>[], schema: S): Stream<RowOf<S>>;
  static fromRows<I extends object>(rows: readonly I[]): Stream<InferredRow<I>>;
  static fromRows(rows: readonly object[], schema?: SchemaInput): Stream {
    const options = rowsOptions(
      rows as readonly Record<string, unknown>[],
      schema === undefined ? null : schemaFrom(schema),
    );
    return new Stream(scan("rows", options));
  }

  /** Rows made up: `generate(1000)` has a column `index` from 0; else each column by its generator. */
  static generate(rows: number): Stream<{ index: bigint }>;
  static generate<const G extends Readonly<Record<string, ColumnGenerator>>>(
    options: GenerateOptions<G>,
  ): Stream<GeneratedRow<G>>;
  static generate(options: number | GenerateOptions): Stream {
    const full =
      typeof options === "number" ? { rows: options, columns: { index: { kind: "sequence" } } as const } : options;
    return new Stream(scan("generate", generateOptions(full)));
  }

  // columns

  /** Only these columns, in this order: `select("a", col("b").add(1).alias("c"))` or `select({ c: "a" })`. */
  select<const A extends Readonly<Record<string, ExpressionInput<R>>>>(columns: A): Stream<NamedRow<A, R>>;
  select<const A extends readonly ExpressionInput<R>[]>(...columns: A): Stream<SelectedRow<A, R>>;
  select(...columns: readonly unknown[]): Stream<Open> {
    return new Stream({ kind: "select", input: this.node, columns: resolveColumns(columns, "select") });
  }

  /** Adds columns at the end, or replaces those of the same name where they stand. */
  withColumns<const A extends Readonly<Record<string, ExpressionInput<R>>>>(
    columns: A,
  ): Stream<WithRow<R, NamedRow<A, R>>>;
  withColumns<const A extends readonly ExpressionInput<R>[]>(...columns: A): Stream<WithRow<R, SelectedRow<A, R>>>;
  withColumns(...columns: readonly unknown[]): Stream<Open> {
    return new Stream({ kind: "withColumns", input: this.node, columns: resolveColumns(columns, "withColumns") });
  }

  drop<K extends ColumnName<R>>(...names: readonly K[]): Stream<IsOpen<R> extends true ? Open : Omit<R, K>> {
    return new Stream({ kind: "drop", input: this.node, names: Object.freeze([...names]) });
  }

  /** `rename({ old: "new" })`. */
  rename<const M extends { readonly [K in ColumnName<R>]?: string }>(names: M): Stream<RenamedRow<R, M>> {
    const pairs = Object.entries(names).map(([from, to]) => ({ from, to: String(to) }));
    return new Stream({ kind: "rename", input: this.node, names: Object.freeze(pairs) });
  }

  // rows

  /** Rows for which the condition is true; null is not. */
  filter(condition: ExpressionInput<R>): Stream<R> {
    return new Stream({ kind: "filter", input: this.node, predicate: resolve(condition, "filter") });
  }

  /** Rows for which a JavaScript function returns true. `filter` is much faster: use this for what expressions cannot say. */
  filterRows(fn: (row: Readonly<R>) => boolean): Stream<R> {
    return this.#userFunction("filter", fn, null);
  }

  /** A JavaScript function makes each row of a new one; `schema` says its columns. */
  map<const S extends SchemaInput>(fn: (row: Readonly<R>) => RowInput<RowOf<S>>, schema: S): Stream<RowOf<S>> {
    return this.#userFunction("map", fn, schema);
  }

  /** A JavaScript function makes any number of rows of one. */
  flatMap<const S extends SchemaInput>(
    fn: (row: Readonly<R>) => Iterable<RowInput<RowOf<S>>>,
    schema: S,
  ): Stream<RowOf<S>> {
    return this.#userFunction("flatMap", fn, schema);
  }

  /** A JavaScript function makes columns of a batch: the fastest way for own code. The batch is only valid during the call. */
  mapBatches<const S extends SchemaInput>(
    fn: (batch: BatchTable<R>) => BatchColumns<RowOf<S>> | AnyTable,
    schema: S,
  ): Stream<RowOf<S>> {
    return this.#userFunction("mapBatches", fn, schema);
  }

  /** One row for each item of a list column, which becomes the item; `outer` keeps rows of empty and null lists. */
  unnest<K extends ColumnName<R>>(
    column: K,
    options: { readonly outer?: boolean } = {},
  ): Stream<WithRow<R, { [P in K]: ItemOf<R[P & keyof R]> }>> {
    return new Stream({ kind: "unnest", input: this.node, column, outer: options.outer ?? false });
  }

  /** Different rows; or, with names, the first row of each combination of these columns. */
  distinct(...names: readonly ColumnName<R>[]): Stream<R> {
    const given = names.length === 0 ? null : Object.freeze([...names]);
    return new Stream({ kind: "distinct", input: this.node, names: given });
  }

  /** All rows of this stream and then of the others, columns matched by name. */
  union(...others: readonly Stream<R>[]): Stream<R> {
    return new Stream({ kind: "union", inputs: Object.freeze([this.node, ...others.map((o) => o.node)]) });
  }

  // aggregation

  /** Groups by columns or named expressions: `groupBy("a", c => c.b.lower().alias("b"))` or `groupBy({ b: c => … })`. */
  groupBy<const A extends Readonly<Record<string, ExpressionInput<R>>>>(keys: A): GroupedStream<R, NamedRow<A, R>>;
  groupBy<const A extends readonly ExpressionInput<R>[]>(...keys: A): GroupedStream<R, SelectedRow<A, R>>;
  groupBy(...keys: readonly unknown[]): GroupedStream<R, Open> {
    const resolved = resolveColumns(keys, "groupBy");
    if (resolved.length === 0) {
      throw new PlanError("argument", "groupBy() needs at least one key. For one group of all rows use .aggregate().");
    }
    return new GroupedStream(this.node, resolved, (node) => new Stream(node));
  }

  /** One row from all rows: `aggregate({ rows: count(), total: sum("a").div(count()) })`. */
  aggregate<const A extends Readonly<Record<string, ExpressionInput<R>>>>(aggregates: A): Stream<NamedRow<A, R>> {
    const resolved = resolveNamed(aggregates, "aggregate");
    if (resolved.length === 0) throw new PlanError("argument", "aggregate({}) needs at least one aggregate.");
    return new Stream({ kind: "aggregate", input: this.node, keys: [], aggregates: resolved });
  }

  // several streams

  /** Rows that belong together: see `JoinOptions`. Clashing names of the right side get a suffix. */
  join<S, const O extends JoinOptions<R, S>>(other: Stream<S>, options: O): Stream<JoinedRow<R, S, O>> {
    return new Stream(joinNode(this.node, other.node, options as JoinOptions));
  }

  // order

  /** Stable; nulls last. `orderBy("a")`, `orderBy({ flights: "desc" })`, `orderBy({ by: c => c.a, nulls: "first" })`. */
  orderBy(...keys: readonly OrderInput<R>[]): Stream<R> {
    return new Stream({ kind: "sort", input: this.node, keys: sortKeys(keys) });
  }

  /** The first `count` rows after `offset` others. */
  limit(count: number, offset = 0): Stream<R> {
    return new Stream({ kind: "limit", input: this.node, count, offset });
  }

  // sinks

  toParquet(path: string, options: ParquetWriteOptions = {}): Sink {
    return parquetSink(this.node, path, options);
  }

  toCsv(path: string, options: CsvWriteOptions = {}): Sink {
    return csvSink(this.node, path, options);
  }

  /** One object a line. */
  toJson(path: string, options: JsonWriteOptions = {}): Sink {
    return jsonSink(this.node, path, options);
  }

  toArrow(path: string, options: ArrowWriteOptions = {}): Sink {
    return arrowSink(this.node, path, options);
  }

  // running from a program

  /** Runs the stream and gives its rows in order. Ending the loop early ends the run. */
  rows(options: RunOptions = {}): AsyncIterable<R> {
    // the runner makes rows by the plan's schema, which R describes
    return runner().rows(Dataflow.of("stream", [this.node]), options) as AsyncIterable<R>;
  }

  [Symbol.asyncIterator](): AsyncIterator<R> {
    return this.rows()[Symbol.asyncIterator]();
  }

  /** Runs the stream and gives all its rows. */
  async collect(options: RunOptions = {}): Promise<R[]> {
    const all: R[] = [];
    for await (const row of this.rows(options)) all.push(row);
    return all;
  }

  /** The plan as text: as written, and optimised. */
  explain(options: { readonly wasm?: boolean } = {}): Promise<string> {
    return runner().explain(Dataflow.of("stream", [this.node]), options);
  }

  #userFunction<T>(mode: LogicalUserFunction["mode"], fn: UserFunction, schema: SchemaInput | null): Stream<T> {
    const operator = mode === "filter" ? "filterRows" : mode;
    if (typeof fn !== "function") throw new PlanError("argument", `${operator} needs a function.`);
    if (mode !== "filter" && (typeof schema !== "object" || schema === null)) {
      throw new PlanError(
        "argument",
        `${operator} needs the columns that its function gives: ${operator}(fn, { a: "int64" }).`,
      );
    }
    const columns = schema === null ? null : schemaFrom(schema);
    return new Stream({ kind: "userFunction", input: this.node, mode, fn, schema: columns });
  }
}

const SOURCES = ["fromParquet", "fromCsv", "fromJson", "fromArrow", "fromRows", "generate"];
const RUN = ["constructor", "rows", "collect", "explain"];

noteOrigins(Stream, SOURCES);
noteOrigins(
  Stream.prototype,
  Object.getOwnPropertyNames(Stream.prototype).filter((name) => !RUN.includes(name)),
);
noteOrigins(GroupedStream.prototype, ["aggregate"]);
