/** Runs physical plans in one process, task by task, over reference exchanges. */
import { type Arena, type Batch, releaseBatch, sliceBatch } from "../../../src/arrow/mod.ts";
import type { Tools } from "../../../src/connectors/mod.ts";
import { executePlan, InlinePool } from "../../../src/exec/mod.ts";
import {
  EXCHANGE,
  type Exchange,
  type Fragment,
  PART,
  type PartScanOptions,
  type PhysicalPlan,
  taskPlan,
} from "../../../src/jobs/mod.ts";
import {
  type OperatorId,
  type Plan,
  type PlanNode,
  planInputs,
  type UserFunction,
  withInputs,
} from "../../../src/plan/mod.ts";
import { Random } from "../../differential/random.ts";
import { batchesOfRows, type Row, readShares, type Shares, shareOut, takeRows } from "./exchanges.ts";

export interface Setup {
  readonly arena: Arena;
  readonly tables: ReadonlyMap<string, readonly Batch[]>;
  readonly userFunctions?: ReadonlyMap<OperatorId, UserFunction>;
  readonly tools?: Tools;
  readonly workers?: number;
  readonly batchRows?: number;
  readonly morselRows?: number;
  readonly seed?: number;
}

type Tables = ReadonlyMap<string, readonly Batch[]>;

async function runRoots(plan: Plan, setup: Setup, tables: Tables): Promise<Row[][]> {
  const { arena, tools = null as never, userFunctions = new Map(), workers = 2 } = setup;
  const pool = new InlinePool({ arena, tools, userFunctions, size: workers });
  const { batchRows = 40, morselRows = 16 } = setup;
  const execution = executePlan(plan, pool, { tools, tables, batchRows, morselRows });
  try {
    const all: Row[][] = [];
    for (const i of plan.roots.keys()) all.push(await takeRows(arena, execution.rows(i)));
    return all;
  } finally {
    await execution.close();
  }
}

/** The plan as one machine runs it: rows by root, of sinks those that they are given. */
export async function runWhole(plan: Plan, setup: Setup): Promise<Row[][]> {
  const roots = plan.roots.map((root) => (root.kind === "sink" ? root.input : root));
  return await runRoots({ ...plan, roots }, setup, setup.tables);
}

/** The same, in tasks. */
export async function runTasks(plan: PhysicalPlan, setup: Setup): Promise<Row[][]> {
  return await new TaskRun(plan, setup).run();
}

class TaskRun {
  readonly #plan: PhysicalPlan;
  readonly #setup: Setup;
  readonly #random: Random;
  /** By exchange, then producer. */
  readonly #shares = new Map<number, Shares[]>();

  constructor(plan: PhysicalPlan, setup: Setup) {
    this.#plan = plan;
    this.#setup = setup;
    this.#random = new Random(setup.seed ?? 1);
  }

  async run(): Promise<Row[][]> {
    const roots: Row[][] = Array.from({ length: this.#plan.rootCount }, () => []);
    for (const fragment of this.#plan.fragments) {
      for (let task = 0; task < fragment.parallelism; task++) {
        const rows = await this.#runTask(fragment, task);
        if (fragment.output.kind === "exchanges") this.#give(fragment, task, rows);
        else roots[fragment.output.root]?.push(...rows);
      }
    }
    return roots;
  }

  async #runTask(fragment: Fragment, task: number): Promise<Row[]> {
    const { arena } = this.#setup;
    const made: Batch[] = [];
    const tables = new Map<string, readonly Batch[]>(this.#setup.tables);
    const add = (name: string, batches: readonly Batch[]) => {
      made.push(...batches);
      tables.set(name, batches);
    };
    const plan = withScans(taskPlan(fragment, task), (node) => {
      const { connector, options } = node.source;
      const name = `task table ${tables.size}`;
      const scan = { ...node, source: { connector: "memory", options: { table: name } } };
      if (connector === EXCHANGE) {
        const exchange = this.#plan.exchanges[Number(options["edge"])] as Exchange;
        const rows = this.#read(exchange, task);
        const batchRows = this.#setup.batchRows ?? 40;
        add(name, batchesOfRows(arena, exchange.schema, { rows, batchRows }));
        return scan;
      }
      if (connector !== PART) return node;
      const part = options as unknown as PartScanOptions;
      if (part.source.connector !== "memory") return node;
      const whole = this.#setup.tables.get(String(part.source.options["table"])) ?? [];
      add(name, partOf(arena, whole, part));
      return scan;
    });
    try {
      return (await runRoots(plan, this.#setup, tables))[0] as Row[];
    } finally {
      for (const batch of made) releaseBatch(arena, batch);
    }
  }

  #read(exchange: Exchange, consumer: number): Row[] {
    const shares = this.#shares.get(exchange.id) ?? [];
    return readShares(exchange, { shares, consumer, random: this.#random });
  }

  #give(fragment: Fragment, producer: number, rows: readonly Row[]): void {
    const { output } = fragment;
    const schema = (fragment.plan.roots[0] as PlanNode).schema;
    for (const id of output.kind === "exchanges" ? output.exchanges : []) {
      const exchange = this.#plan.exchanges[id] as Exchange;
      const { parallelism } = this.#plan.fragments[exchange.to] as Fragment;
      const boundsOf = exchange.kind === "range" ? this.#plan.exchanges[exchange.boundsFrom] : undefined;
      const bounds = boundsOf === undefined ? [] : this.#read(boundsOf, producer);
      const shares = this.#shares.get(id) ?? [];
      shares[producer] = shareOut(exchange, { rows, schema, producer, parallelism, bounds });
      this.#shares.set(id, shares);
    }
  }
}

type Scan = Extract<PlanNode, { kind: "scan" }>;

function withScans(plan: Plan, change: (node: Scan) => PlanNode): Plan {
  const done = new Map<PlanNode, PlanNode>();
  const rewrite = (node: PlanNode): PlanNode => {
    const after =
      done.get(node) ?? (node.kind === "scan" ? change(node) : withInputs(node, planInputs(node).map(rewrite)));
    done.set(node, after);
    return after;
  };
  return { ...plan, roots: plan.roots.map(rewrite) };
}

/** Rows of a table in contiguous parts of about equal size; some may be empty. */
function partOf(arena: Arena, batches: readonly Batch[], part: PartScanOptions): Batch[] {
  const total = batches.reduce((sum, { rowCount }) => sum + rowCount, 0);
  const from = Math.floor((part.index * total) / part.count);
  const to = Math.floor(((part.index + 1) * total) / part.count);
  const parts: Batch[] = [];
  let before = 0;
  for (const batch of batches) {
    const start = Math.max(0, from - before);
    const end = Math.min(batch.rowCount, to - before);
    if (start < end) parts.push(sliceBatch(arena, batch, start, end, 0));
    before += batch.rowCount;
  }
  return parts;
}
