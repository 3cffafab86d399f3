/**
 * From bound plan to pipelines: walks the plan, opens a pipeline at every source, adds what works on single rows and
 * runs everything below a breaker before the pipeline above it.
 */
import { type Batch, releaseBatch, type Schema, selectColumns, sliceBatch } from "../arrow/mod.ts";
import { type SourceRequest, sourceOf } from "../connectors/mod.ts";
import { invariant, unreachable } from "../kernel/mod.ts";
import type {
  AggregateNode,
  JoinNode,
  LimitNode,
  PlanNode,
  ScanNode,
  SortNode,
  UserFunctionNode,
} from "../plan/mod.ts";
import { runAggregate } from "./aggregate/mod.ts";
import type { Driver } from "./driver.ts";
import { openJoin } from "./join/mod.ts";
import { type BatchList, type OpenPipeline, openAt, withStage, withStep } from "./open_pipeline.ts";
import { runSort } from "./sort/mod.ts";

/** Connector of tables that are in the arena already: `options.table` names one of `ExecuteOptions.tables`. */
export const MEMORY = "memory";

export class PlanWalk {
  readonly driver: Driver;
  readonly #uses: ReadonlyMap<PlanNode, number>;
  readonly #shared = new Map<PlanNode, Promise<BatchList>>();

  constructor(driver: Driver, roots: readonly PlanNode[]) {
    this.driver = driver;
    this.#uses = countUses(roots);
  }

  /** The rows of `node`. */
  async open(node: PlanNode): Promise<readonly OpenPipeline[]> {
    if ((this.#uses.get(node) ?? 0) > 1) return [await this.#openShared(node)];
    return await this.#openNode(node);
  }

  /** A node that several others read runs once; its rows are kept to the end of the job. */
  async #openShared(node: PlanNode): Promise<OpenPipeline> {
    const known = this.#shared.get(node) ?? this.#openNode(node).then((open) => this.driver.materialise(open));
    this.#shared.set(node, known);
    const list = await known;
    return this.#openBatches({ batches: list.batches, release: () => {} }, node);
  }

  async #openNode(node: PlanNode): Promise<readonly OpenPipeline[]> {
    switch (node.kind) {
      case "scan":
        return [this.#openScan(node)];
      case "filter": {
        const step = { kind: "filter", operator: node.id, predicate: node.predicate } as const;
        return (await this.open(node.input)).map((pipeline) => withStep(pipeline, step, node.schema));
      }
      case "project": {
        const step = { kind: "project", operator: node.id, columns: node.columns } as const;
        return (await this.open(node.input)).map((pipeline) => withStep(pipeline, step, node.schema));
      }
      case "userFunction":
        return (await this.open(node.input)).map((pipeline) => this.#withUserFunction(pipeline, node));
      case "unnest": {
        const { id: operator, column, outer, schema } = node;
        return (await this.open(node.input)).map((pipeline) => {
          const stage = { kind: "unnest", operator, inputSchema: pipeline.schema, schema, column, outer } as const;
          return withStage(pipeline, stage, schema);
        });
      }
      case "union":
        return await this.#openInTurn(node.inputs);
      case "limit":
        return [this.#openLater(node, () => this.#limit(node))];
      case "aggregate":
        return [this.#openLater(node, () => this.#aggregate(node))];
      case "sort":
        return [this.#openLater(node, () => this.#sort(node))];
      case "join":
        return await this.#join(node);
      case "sink":
        return await this.open(node.input);
      default:
        return unreachable(node);
    }
  }

  /** One after the other: opening a join runs pipelines, and workers carry out one request at a time. */
  async #openInTurn(nodes: readonly PlanNode[]): Promise<readonly OpenPipeline[]> {
    const pipelines: OpenPipeline[] = [];
    for (const node of nodes) pipelines.push(...(await this.open(node)));
    return pipelines;
  }

  #openScan(node: ScanNode): OpenPipeline {
    const { driver } = this;
    const columns = node.schema.fields.map((field) => field.name);
    if (node.source.connector === MEMORY) {
      const table = String(node.source.options["table"]);
      const batches = driver.options.tables.get(table);
      invariant(batches !== undefined, `there is no table ${table} in memory`);
      const selected = batches.map((batch) => selectColumns(batch, columns));
      // One schema object for all: it is posted to the workers once.
      const schema = selected[0]?.schema ?? node.schema;
      return this.#openBatches({ batches: selected.map((batch) => ({ ...batch, schema })), release: () => {} }, node);
    }
    const request: SourceRequest = { columns, predicate: node.predicate, rowLimit: node.rowLimit };
    const shown = { operator: node.id, text: `scan #${node.id} (${node.source.connector})` };
    const given = driver.options.sources?.(node) ?? null;
    if (given?.kind === "rounds") return openAt(async () => driver.openRounds(given), node.schema, shown);
    const connector = given?.connector ?? node.source;
    const source = async () => {
      const found = driver.options.onDryRun ? [] : await sourceOf(connector).splits(connector, request, driver.tools);
      const splits = given === null ? found : given.select(found);
      const spec = { kind: "splits", operator: node.id, connector, request, splits } as const;
      return { spec, release: () => {} };
    };
    return openAt(source, node.schema, shown);
  }

  #withUserFunction(pipeline: OpenPipeline, node: UserFunctionNode): OpenPipeline {
    const { id: operator, mode, schema } = node;
    return withStage(pipeline, { kind: "user", operator, mode, inputSchema: pipeline.schema, schema }, schema);
  }

  /** A pipeline over batches that come to be when it starts. */
  #openLater(node: PlanNode, make: () => Promise<BatchList>): OpenPipeline {
    return openAt(async () => this.#batchesSource(await make()), node.schema, of(node));
  }

  #openBatches(list: BatchList, node: PlanNode): OpenPipeline {
    return openAt(async () => this.#batchesSource(list), node.schema, of(node));
  }

  #batchesSource(list: BatchList) {
    const spec = { kind: "batches", batches: list.batches, taskRows: this.driver.options.batchRows } as const;
    return { spec, release: () => list.release() };
  }

  async #limit(node: LimitNode): Promise<BatchList> {
    const batches: Batch[] = [];
    const list = this.driver.own(batches);
    const rows = this.driver.stream(await this.open(node.input));
    for await (const batch of limited(rows, node, this.driver)) batches.push(batch);
    return list;
  }

  async #aggregate(node: AggregateNode): Promise<BatchList> {
    return await runAggregate(this.driver, node, await this.open(node.input));
  }

  async #sort(node: SortNode): Promise<BatchList> {
    return await runSort(this.driver, node, await this.open(node.input));
  }

  async #join(node: JoinNode): Promise<readonly OpenPipeline[]> {
    const [left, right] = [await this.open(node.left), await this.open(node.right)];
    return await openJoin(this.driver, node, { left, right });
  }
}

function of(node: PlanNode): { readonly operator: number; readonly text: string } {
  return { operator: node.id, text: `rows of ${node.kind} #${node.id}` };
}

/** Rows `offset` … `offset + count` of `rows`; the rest is not computed. */
export async function* limited(
  rows: AsyncGenerator<Batch, void>,
  range: { readonly count: number; readonly offset: number; readonly id: number },
  driver: Driver,
): AsyncGenerator<Batch, void> {
  let skip = range.offset;
  let left = range.count;
  if (left === 0) return;
  for await (const batch of rows) {
    const start = Math.min(skip, batch.rowCount);
    const end = Math.min(batch.rowCount, start + left);
    skip -= start;
    left -= end - start;
    if (start === 0 && end === batch.rowCount) yield batch;
    else {
      const part = start < end ? sliceBatch(driver.arena, batch, start, end, range.id) : null;
      releaseBatch(driver.arena, batch);
      if (part !== null) yield part;
    }
    if (left === 0) return;
  }
}

/** How many nodes read each node. */
function countUses(roots: readonly PlanNode[]): ReadonlyMap<PlanNode, number> {
  const uses = new Map<PlanNode, number>();
  const visit = (node: PlanNode): void => {
    const count = (uses.get(node) ?? 0) + 1;
    uses.set(node, count);
    if (count === 1) inputsOf(node).forEach(visit);
  };
  roots.forEach(visit);
  return uses;
}

function inputsOf(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case "scan":
      return [];
    case "join":
      return [node.left, node.right];
    case "union":
      return node.inputs;
    default:
      return [node.input];
  }
}

/** The schema of what a root gives; a sink gives its input's. */
export function rootSchema(root: PlanNode): Schema {
  return root.kind === "sink" ? root.input.schema : root.schema;
}
