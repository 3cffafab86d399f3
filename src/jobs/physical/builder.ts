import { type Field, type Schema, schema } from "../../arrow/mod.ts";
import { invariant } from "../../kernel/mod.ts";
import {
  type ConnectorSpec,
  estimateRows,
  type NamedExpression,
  type Plan,
  type PlanNode,
  type ScanNode,
  type Statistics,
  type TypedExpression,
} from "../../plan/mod.ts";
import { isColumn, namesOf, narrowedTo, ordinalField, selected, withColumns } from "./columns.ts";
import {
  EXCHANGE,
  type Exchange,
  type ExchangeId,
  type Fragment,
  type FragmentId,
  type FragmentOutput,
  type RangeKey,
} from "./model.ts";
import { BY_POSITION, NO_ORDER, type Open, type RowOrder } from "./open.ts";
import { PARALLELISM_MAX, type PhysicalOptions } from "./options.ts";

/** How rows go from one fragment to the next. */
export type Way =
  | { readonly kind: "forward"; readonly offset: number }
  | { readonly kind: "hash"; readonly keys: readonly string[] }
  | { readonly kind: "range"; readonly keys: readonly RangeKey[]; readonly boundsFrom: ExchangeId }
  | { readonly kind: "broadcast" }
  | { readonly kind: "gather"; readonly sampleRowsMax: number | null };

export interface CrossOptions {
  /** Tasks on the other side. */
  readonly parallelism: number;
  /** Columns that are sent; default: the visible ones and those of the order. */
  readonly columns?: readonly string[];
  /** Adds a column that tells the rows' order. */
  readonly ordinal?: boolean;
}

/** Fragments and exchanges while a plan is cut. */
export class Builder {
  readonly options: PhysicalOptions;
  readonly #plan: Plan;
  readonly #fragments: Fragment[] = [];
  readonly #exchanges: Omit<Exchange, "to">[] = [];
  readonly #consumers = new Map<ExchangeId, FragmentId>();
  readonly #names: Set<string>;
  readonly #statistics: Statistics;

  constructor(plan: Plan, options: PhysicalOptions, names: Set<string>) {
    this.#plan = plan;
    this.options = options;
    this.#names = names;
    this.#statistics = { rowCount: (spec) => options.facts(spec).rowCount };
  }

  /** A column's name that nobody has. */
  fresh(what: string): string {
    let number = 1;
    while (this.#names.has(`$${what}${number}`)) number++;
    const name = `$${what}${number}`;
    this.#names.add(name);
    return name;
  }

  rowsOf(node: PlanNode): number | null {
    return estimateRows(node, this.#statistics);
  }

  /** Tasks for so many rows. */
  tasksFor(rows: number | null, limit: number = PARALLELISM_MAX): number {
    const { parallelism, slots, rowsPerTask } = this.options;
    const wanted = parallelism ?? (rows === null ? slots : Math.min(slots, Math.ceil(rows / rowsPerTask)));
    return Math.max(1, Math.min(wanted, limit, PARALLELISM_MAX));
  }

  splitsOf(source: ConnectorSpec): number {
    return this.options.facts(source).splitCount ?? PARALLELISM_MAX;
  }

  /** Ends the fragment; rows that go on do so through exchanges. */
  seal(open: Open): FragmentId {
    if (open.sealed !== null) return open.sealed;
    return this.#add(open, { kind: "exchanges", exchanges: [] });
  }

  /** Ends the fragment: its rows leave the job. */
  finish(open: Open, output: FragmentOutput): void {
    this.#add(open, output);
  }

  /** A fragment that can be added to. */
  live(open: Open): Open {
    if (open.sealed === null) return open;
    const columns = namesOf(open.node.schema);
    const scan = this.cross(open, { kind: "forward", offset: 0 }, { parallelism: open.parallelism, columns });
    return { ...scan, order: open.order, hashed: open.hashed };
  }

  /** Rows on the other side of an exchange. */
  cross(open: Open, way: Way, options: CrossOptions): Open {
    const from = this.seal(open);
    const { node, order } = open;
    const sent = options.columns ?? namesOf(node.schema);
    const addsOrdinal = options.ordinal === true && order.kind !== "none";
    const ordinal = addsOrdinal ? this.fresh("order") : null;
    const fields: Field[] = [
      ...selected(node.schema, sent).fields,
      ...(ordinal === null ? [] : [ordinalField(ordinal)]),
    ];
    const isOrdered = order.kind === "position" && open.parallelism > 1 && way.kind !== "forward";
    const base = { id: this.#exchanges.length, from, schema: schema(fields), isOrdered, ordinal };
    this.#exchanges.push(Object.freeze({ ...base, isBlocking: true, role: "rows" as const, ...way }));
    const mixes = !isOrdered && way.kind !== "forward" && open.parallelism > 1;
    const before = order.kind === "columns" ? order.columns : [];
    return {
      node: scanOf(node.id, base.id, base.schema),
      parallelism: options.parallelism,
      inputs: [base.id],
      sealed: null,
      order: ordinal === null ? orderAfter(order, way) : { kind: "columns", columns: [...before, ordinal] },
      hashed: way.kind === "hash" ? [way.keys] : [],
      varies: open.varies || mixes,
      isRepeatable: true,
      estimatedRows: open.estimatedRows,
    };
  }

  /** Rows of an exchange by which the consumer shares out its own. */
  boundsInput(open: Open, parallelism: number): ExchangeId {
    const [id] = this.cross(open, { kind: "broadcast" }, { parallelism }).inputs;
    invariant(id !== undefined, "an exchange was made");
    this.#exchanges[id] = Object.freeze({ ...(this.#exchanges[id] as Exchange), role: "bounds" });
    return id;
  }

  /** The fragment's rows can differ when one of its tasks runs again. */
  markUnrepeatable(fragment: FragmentId): void {
    const before = this.#fragments[fragment];
    invariant(before !== undefined, `fragment ${fragment} is sealed`);
    this.#fragments[fragment] = Object.freeze({ ...before, isRepeatable: false });
  }

  /** The rows with a column for each expression: its own, or one that is added. */
  keyed(open: Open, expressions: readonly TypedExpression[]): { readonly open: Open; readonly names: string[] } {
    if (expressions.every(isColumn)) return { open, names: expressions.map(({ name }) => name) };
    const added: NamedExpression[] = [];
    const names = expressions.map((expression) => {
      if (isColumn(expression)) return expression.name;
      const name = this.fresh("key");
      added.push({ name, expression });
      return name;
    });
    const base = this.live(open);
    return { open: { ...base, node: withColumns(base.node, added) }, names };
  }

  /** All rows in one task. */
  gathered(open: Open): Open {
    if (open.parallelism === 1) return this.live(open);
    return this.cross(open, { kind: "gather", sampleRowsMax: null }, { parallelism: 1 });
  }

  build(rootCount: number): { fragments: Fragment[]; exchanges: Exchange[]; rootCount: number } {
    const outputs = new Map<FragmentId, ExchangeId[]>();
    for (const { id, from } of this.#exchanges) outputs.set(from, [...(outputs.get(from) ?? []), id]);
    const fragments = this.#fragments.map((fragment) => {
      if (fragment.output.kind !== "exchanges") return fragment;
      return Object.freeze({ ...fragment, output: { ...fragment.output, exchanges: outputs.get(fragment.id) ?? [] } });
    });
    const exchanges = this.#exchanges.map((exchange) => {
      const to = this.#consumers.get(exchange.id);
      invariant(to !== undefined, `exchange ${exchange.id} is read`);
      return Object.freeze({ ...exchange, to } as Exchange); // `Omit` took the union apart
    });
    return { fragments, exchanges, rootCount };
  }

  #add(open: Open, output: FragmentOutput): FragmentId {
    const { node, parallelism, inputs, estimatedRows, isRepeatable } = open;
    const id = this.#fragments.length;
    for (const input of inputs) this.#consumers.set(input, id);
    const { operators } = this.#plan;
    const plan: Plan = Object.freeze({
      name: `${this.#plan.name}/${id}`,
      roots: Object.freeze([node]),
      ...(operators === undefined ? {} : { operators }),
    });
    this.#fragments.push(Object.freeze({ id, plan, parallelism, inputs, output, estimatedRows, isRepeatable }));
    return id;
  }
}

function scanOf(operator: number, edge: ExchangeId, of: Schema): ScanNode {
  const source = Object.freeze({ connector: EXCHANGE, options: Object.freeze({ edge }) });
  return Object.freeze({ kind: "scan", id: operator, schema: of, source, predicate: null, rowLimit: null });
}

/** Rows that were in order task by task are so no more when they are shared out anew. */
function orderAfter(order: RowOrder, way: Way): RowOrder {
  if (order.kind !== "position" || way.kind === "forward" || way.kind === "gather") return order;
  return NO_ORDER;
}

/** The visible columns only; needs rows whose order is no matter of hidden columns. */
export function visible(open: Open, wanted: Schema): Open {
  return { ...open, node: narrowedTo(open.node, wanted) };
}

/** Both in one task each. */
export function fused(opens: readonly Open[], node: PlanNode): Open {
  const parallelism = Math.max(1, ...opens.map((open) => open.parallelism));
  return {
    node,
    parallelism,
    inputs: opens.flatMap((open) => open.inputs),
    sealed: null,
    order: parallelism === 1 ? BY_POSITION : NO_ORDER,
    hashed: [],
    varies: opens.some((open) => open.varies),
    isRepeatable: opens.every((open) => open.isRepeatable),
    estimatedRows: null,
  };
}
