import type { Batch, Schema } from "../arrow/mod.ts";
import { releaseBatch } from "../arrow/mod.ts";
import { type SinkWriter, sinkOf, type Tools } from "../connectors/mod.ts";
import type { LimitNode, OperatorInfo, Plan, PlanNode, SinkNode } from "../plan/mod.ts";
import { Driver, type ExecuteOptions } from "./driver.ts";
import { ExecError } from "./error.ts";
import { memoryFailure, namedFailure } from "./failure.ts";
import { limited, PlanWalk, rootSchema } from "./plan_walk.ts";
import type { Pool } from "./pool.ts";

/** The only epoch of a bounded job. */
const EPOCH = 0;

export interface WrittenOutput {
  readonly connector: string;
  readonly path: string;
  readonly rows: number;
}

/** A plan that is being executed. */
export interface Execution {
  readonly schemas: readonly Schema[];
  /**
   * Rows of root `index`, in order; whoever takes a batch owns it. Roots are run one after the other, each when it is
   * asked for. For a sink nothing comes, but its file stands when the iteration has ended.
   */
  rows(index: number): AsyncGenerator<Batch, void>;
  readonly rowsRead: number;
  readonly written: readonly WrittenOutput[];
  /** Stops what runs and frees everything; to be called at the end in any case. */
  close(): Promise<void>;
}

const DEFAULTS: ExecuteOptions = {
  batchRows: 65_536,
  morselRows: 16_384,
  signal: null,
  turn: null,
  tables: new Map(),
  sources: null,
  onDryRun: null,
};

/** Starts a bound, optimised plan on the workers of `pool`. */
export function executePlan(plan: Plan, pool: Pool, options: Partial<ExecuteOptions> & { tools: Tools }): Execution {
  const driver = new Driver(pool, options.tools, { ...DEFAULTS, ...options });
  const walk = new PlanWalk(driver, plan.roots);
  const written: WrittenOutput[] = [];
  const started: AsyncGenerator<Batch, void>[] = [];
  return {
    schemas: plan.roots.map(rootSchema),
    rows: (index) => {
      const rows = translated(rootRows(walk, plan.roots[index] as PlanNode, written), {
        signal: driver.options.signal,
        operators: plan.operators ?? [],
      });
      started.push(rows);
      return rows;
    },
    get rowsRead() {
      return driver.rowsRead;
    },
    written,
    close: async () => {
      driver.cancel();
      // What workers still write to may be freed only when they have stopped.
      await Promise.allSettled(started.map((rows) => rows.return()));
      await driver.dispose();
    },
  };
}

/** A stopped job fails for the reason that it was stopped for, whatever that made break. */
async function* translated(
  rows: AsyncGenerator<Batch, void>,
  job: { readonly signal: AbortSignal | null; readonly operators: readonly OperatorInfo[] },
): AsyncGenerator<Batch, void> {
  try {
    yield* rows;
  } catch (error) {
    if (job.signal?.reason instanceof ExecError) throw job.signal.reason;
    throw namedFailure(memoryFailure(error, 0), job.operators);
  }
}

async function* rootRows(walk: PlanWalk, root: PlanNode, written: WrittenOutput[]): AsyncGenerator<Batch, void> {
  if (root.kind === "sink") {
    written.push(await writeSink(walk, root));
    return;
  }
  if (root.kind === "limit") yield* streamLimit(walk, root);
  else yield* walk.driver.stream(await walk.open(root));
}

async function* streamLimit(walk: PlanWalk, node: LimitNode): AsyncGenerator<Batch, void> {
  yield* limited(walk.driver.stream(await walk.open(node.input)), node, walk.driver);
}

async function writeSink(walk: PlanWalk, node: SinkNode): Promise<WrittenOutput> {
  const { arena, tools } = walk.driver;
  const writer = sinkOf(node.sink).open(node.sink, node.input.schema, { ...tools, arena });
  let rows = 0;
  try {
    for await (const batch of rootRows(walk, node.input, [])) {
      try {
        await writer.write(batch);
        rows += batch.rowCount;
      } finally {
        releaseBatch(arena, batch);
      }
    }
    await writer.prepare(EPOCH);
    await writer.commit(EPOCH);
  } catch (error) {
    await abortQuietly(writer);
    throw error;
  }
  const path = node.sink.options["path"];
  return { connector: node.sink.connector, path: typeof path === "string" ? path : "", rows };
}

/** The first error is the one that counts. */
async function abortQuietly(writer: SinkWriter): Promise<void> {
  try {
    await writer.abort(EPOCH);
  } catch {
    // The job has failed already, and says so.
  }
}
