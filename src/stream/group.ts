// oxlint-disable typescript/no-unsafe-return -- rows of overloads are computed by TypeScript alone: a Stream<Open> is any of them
import { type LogicalNode, type NamedLogicalExpression, PlanError } from "../plan/mod.ts";
import { type CellOfInput, type ExpressionInput, resolveNamed } from "./resolve.ts";
import type { Stream } from "./stream.ts";
import type { Flat } from "./types.ts";

/** A stream that is grouped and waits for its `.aggregate()`. `K` are the keys' columns. */
export class GroupedStream<R, K> {
  declare protected readonly key: K;
  readonly #input: LogicalNode;
  readonly #keys: readonly NamedLogicalExpression[];
  readonly #stream: (node: LogicalNode) => Stream;

  constructor(input: LogicalNode, keys: readonly NamedLogicalExpression[], stream: (node: LogicalNode) => Stream) {
    this.#input = input;
    this.#keys = keys;
    this.#stream = stream;
  }

  /** One row a group: its keys, then the aggregates, which may be put into expressions: `sum("a").div(count())`. */
  aggregate<const A extends Readonly<Record<string, ExpressionInput<R>>>>(
    aggregates: A,
  ): Stream<Flat<K & { -readonly [N in keyof A]: CellOfInput<A[N], R> }>> {
    const resolved = resolveNamed(aggregates, "aggregate");
    if (resolved.length === 0) {
      throw new PlanError("argument", "aggregate({}) needs at least one aggregate. For the keys alone use distinct().");
    }
    return this.#stream({ kind: "aggregate", input: this.#input, keys: this.#keys, aggregates: resolved });
  }
}
