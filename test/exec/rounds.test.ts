import { describe, expect, test } from "vitest";
import {
  Arena,
  type Batch,
  batchFromRows,
  field,
  int64,
  list,
  releaseBatch,
  retainBatch,
  type Schema,
  schema,
  selectColumns,
  sliceBatch,
  utf8,
} from "../../src/arrow/mod.ts";
import { executePlan, InlinePool, type RoundReader } from "../../src/exec/mod.ts";
import {
  bind,
  explainPlan,
  type LogicalPlan,
  optimise,
  type Plan,
  planInputs,
  userFunctionsOf,
  withInputs,
} from "../../src/plan/mod.ts";
import { col, count, first, last, Stream, sum } from "../../src/stream/mod.ts";
import { differenceOf, plainOfCell } from "../differential/compare.ts";
import { CASE_ROWS_MAX, caseIn, connectDuckDb } from "../differential/fuzz_case.ts";
import { Random } from "../differential/random.ts";
import { batchesOf } from "../differential/run_case.ts";
import { type Row, takeRows } from "../jobs/physical/exchanges.ts";
import { memoryScan, texts } from "../jobs/physical/support.ts";

const PLAN_COUNT = Number(process.env["PLANS"] ?? 40);
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000_000);

type Tables = ReadonlyMap<string, readonly Batch[]>;

/** A table's rows as if they came over a network: some at a time, at times none, at times one. */
class Arriving implements RoundReader {
  readonly #arena: Arena;
  readonly #random: Random;
  #left: Batch[];
  closed = 0;
  /** Rejects what waits when it is closed. */
  #refuse: ((error: Error) => void) | null = null;
  readonly #hangs: boolean;

  constructor(arena: Arena, batches: readonly Batch[], options: { random: Random; hangs?: boolean }) {
    this.#arena = arena;
    this.#random = options.random;
    this.#hangs = options.hangs ?? false;
    this.#left = batches.flatMap((batch) => this.#cut(batch));
  }

  async next(): Promise<readonly Batch[] | null> {
    if (this.closed > 0) throw new Error("closed");
    if (this.#random.chance(0.5)) await Promise.resolve();
    if (this.#left.length === 0 && this.#hangs) {
      return await new Promise((_, reject) => {
        this.#refuse = reject;
      });
    }
    if (this.#left.length === 0) return null;
    if (this.#random.chance(0.2)) return [];
    return this.#left.splice(0, 1 + this.#random.below(4));
  }

  close(): void {
    this.closed++;
    for (const batch of this.#left.splice(0)) releaseBatch(this.#arena, batch);
    this.#refuse?.(new Error("closed"));
  }

  #cut(batch: Batch): Batch[] {
    if (batch.rowCount < 2 || this.#random.chance(0.5)) {
      retainBatch(this.#arena, batch);
      return [batch];
    }
    const at = this.#random.chance(0.5) ? 1 : this.#random.below(batch.rowCount);
    const ranges = [[0, at] as const, [at, batch.rowCount] as const].filter(([from, to]) => to > from);
    return ranges.map(([from, to]) => sliceBatch(this.#arena, batch, from, to, 0));
  }
}

interface Setup {
  readonly arena: Arena;
  readonly logical: LogicalPlan;
  readonly tables: Tables;
  readonly random: Random;
  /** Which tables arrive; the others are there. */
  readonly arrives: (table: string) => boolean;
  readonly readers?: Arriving[];
  readonly workers?: number;
}

async function rowsOf(plan: Plan, setup: Setup): Promise<Row[][]> {
  const { arena, logical, random, tables } = setup;
  const options = { arena, tools: null as never, userFunctions: userFunctionsOf(logical), size: setup.workers ?? 2 };
  const pool = new InlinePool(options);
  const execution = executePlan(arriving(plan, setup.arrives), pool, {
    tools: null as never,
    tables,
    batchRows: 40,
    morselRows: 16,
    sources: (node) => {
      if (node.source.connector !== "arriving") return null;
      const batches = tables.get(String(node.source.options["table"])) ?? [];
      const columns = node.schema.fields.map(({ name }) => name);
      return {
        kind: "rounds",
        open: () => {
          const reader = new Arriving(
            arena,
            batches.map((batch) => selectColumns(batch, columns)),
            { random },
          );
          setup.readers?.push(reader);
          return reader;
        },
      };
    },
  });
  try {
    const all: Row[][] = [];
    for (const i of plan.roots.keys()) all.push(await takeRows(arena, execution.rows(i)));
    return all;
  } finally {
    await execution.close();
  }
}

/** The plan with its scans of such tables as scans that something else gives the rows of. */
function arriving(plan: Plan, arrives: (table: string) => boolean): Plan {
  const { done, rewrite } = rewriter(arrives);
  const roots = plan.roots.map(rewrite);
  expect(done.size).toBeGreaterThan(0);
  return { ...plan, roots };
}

function rewriter(arrives: (table: string) => boolean) {
  type Node = Plan["roots"][number];
  const done = new Map<Node, Node>();
  const rewrite = (node: Node): Node => {
    const known = done.get(node);
    if (known !== undefined) return known;
    const after = rewritten(node);
    done.set(node, after);
    return after;
  };
  const rewritten = (node: Node): Node => {
    if (node.kind === "scan") {
      if (!arrives(String(node.source.options["table"]))) return node;
      return { ...node, source: { connector: "arriving", options: node.source.options } };
    }
    return withInputs(node, planInputs(node).map(rewrite));
  };
  return { done, rewrite };
}

describe("rows that arrive over time give what rows that are there give", () => {
  const T = schema([
    field("id", int64, false),
    field("key", int64, true),
    field("word", utf8, true),
    field("items", list(field("item", int64, true)), true),
  ]);
  const rows = Array.from({ length: 700 }, (_, i) => ({
    id: BigInt(i),
    key: i % 11 === 0 ? null : BigInt((i * 7) % 23),
    word: ["ant", "bee", null, "cow", "dog"][(i * 3) % 5] ?? null,
    items: i % 6 === 0 ? null : Array.from({ length: i % 9 }, (_, k) => BigInt(i * 10 + k)),
  }));
  const flows: Readonly<Record<string, (t: Stream, u: Stream) => Stream>> = {
    "as they are": (t) => t,
    "filters and projections": (t) => t.filter(col("id").mod(3).eq(0)).select("word", "id"),
    "first and last by position": (t) =>
      t
        .groupBy("key")
        .aggregate({ a: first("id"), z: last("id"), n: count() })
        .orderBy("key"),
    "first and last behind unnest": (t) =>
      t
        .unnest("items")
        .groupBy("key")
        .aggregate({ a: first("items"), z: last("items"), n: count() })
        .orderBy("key"),
    "first behind functions that multiply": (t) =>
      t
        .flatMap((row) => [row, row, row].map((each, i) => ({ k: each["key"], v: Number(each["id"]) * 10 + i })), {
          k: "int64",
          v: "int64",
        })
        .groupBy("k")
        .aggregate({ a: first("v"), z: last("v") })
        .orderBy("k"),
    "groups without rows": (t) => t.filter(col("id").lt(0)).aggregate({ n: count(), s: sum("id") }),
    "sorts with ties": (t) => t.select("word", "id").orderBy("word"),
    "the best rows with ties": (t) => t.select("word", "id").orderBy("word").limit(45),
    "best rows behind unnest": (t) => t.unnest("items").select("word", "items").orderBy("word").limit(60),
    limits: (t) => t.select("id").limit(33, 50),
    "limits below groups": (t) => t.limit(100).groupBy("key").aggregate({ n: count() }).orderBy("key"),
    unions: (t, u) => t.select("id").union(u.select("id"), t.select("id")),
    "groups of unions": (t, u) =>
      t
        .select("id", "key")
        .union(u.select("id", "key"))
        .groupBy("key")
        .aggregate({ a: first("id"), n: count() })
        .orderBy("key"),
    "joins, both arriving": (t, u) =>
      t.select("id", "key").join(u.select(col("key").alias("k"), "word").distinct(), { on: { key: "k" }, how: "left" }),
    "full joins": (t, u) =>
      t.select("id", "key").join(u.filter(col("id").lt(40)).select(col("id").alias("k"), "word"), {
        on: { key: "k" },
        how: "full",
      }),
    "cross joins": (t, u) =>
      t
        .limit(30)
        .select("id")
        .join(u.limit(20).select(col("id").alias("o")), { how: "cross" }),
    "functions over rows": (t) => t.map((row) => ({ id: (row["id"] as bigint) * 3n }), { id: "int64" }),
    "what is read twice": (t) => {
      const few = t.filter(col("id").mod(2).eq(0)).select("id", "key");
      return few.join(few.select(col("id").alias("other")), { on: { key: "other" } });
    },
  };

  for (const [name, flow] of Object.entries(flows)) {
    test(name, async () => {
      for (let seed = 1; seed <= 6; seed++) {
        const random = new Random(seed);
        const arena = Arena.create({ limitBytes: 1 << 28 });
        const batches = (step: number) => {
          const made: Batch[] = [];
          for (let at = 0; at < rows.length; at += step) {
            made.push(batchFromRows(arena, T, rows.slice(at, at + step), 0));
          }
          return made;
        };
        const tables = new Map([
          ["t", batches(37)],
          ["u", batches(101)],
        ]);
        const stream = flow(new Stream(memoryScan("t")), new Stream(memoryScan("u")));
        const logical = { name: "flow", roots: [stream.node] };
        const plan = optimise(bind(logical, () => T));
        const readers: Arriving[] = [];
        const workers = 1 + (seed % 3);
        const setup = { arena, logical, tables, random, arrives: () => true, readers, workers };
        const whole = await rowsOf(plan, { ...setup, arrives: () => false });
        const got = await rowsOf(plan, setup);
        // Rows of joins without order may change places between, but not within, the sides' order.
        const isOrdered = !name.startsWith("full");
        const shown = (given: Row[][]) => (isOrdered ? texts(given.flat()) : texts(given.flat()).sort());
        expect(shown(got), `seed ${seed}`).toEqual(shown(whole));
        expect(readers.every(({ closed }) => closed > 0)).toBe(true);
        for (const each of tables.values()) for (const batch of each) releaseBatch(arena, batch);
        expect(arena.bytesInUse()).toBe(0);
      }
    });
  }
});

test("a limit that is reached closes the reader, which would give more", async () => {
  const arena = Arena.create({ limitBytes: 1 << 26 });
  const of = schema([field("id", int64, false)]);
  const batch = batchFromRows(
    arena,
    of,
    Array.from({ length: 100 }, (_, i) => ({ id: BigInt(i) })),
    0,
  );
  const logical = { name: "flow", roots: [new Stream(memoryScan("t")).limit(10).node] };
  const plan = optimise(bind(logical, () => of));
  const reader = new Arriving(arena, [batch], { random: new Random(1), hangs: true });
  const pool = new InlinePool({ arena, tools: null as never, userFunctions: new Map() });
  const sources = () => ({ kind: "rounds" as const, open: () => reader });
  const execution = executePlan(
    arriving(plan, () => true),
    pool,
    { tools: null as never, sources },
  );
  expect((await takeRows(arena, execution.rows(0))).length).toBe(10);
  expect(reader.closed).toBeGreaterThan(0);
  await execution.close();
  releaseBatch(arena, batch);
  expect(arena.bytesInUse()).toBe(0);
});

test("a job that waits for rows that do not come ends when it is cancelled", async () => {
  const arena = Arena.create({ limitBytes: 1 << 26 });
  const of = schema([field("id", int64, false)]);
  const logical = { name: "flow", roots: [new Stream(memoryScan("t")).aggregate({ n: count() }).node] };
  const plan = optimise(bind(logical, () => of));
  const reader = new Arriving(arena, [], { random: new Random(1), hangs: true });
  const pool = new InlinePool({ arena, tools: null as never, userFunctions: new Map() });
  const abort = new AbortController();
  const options = { tools: null as never, signal: abort.signal };
  const sources = () => ({ kind: "rounds" as const, open: () => reader });
  const execution = executePlan(
    arriving(plan, () => true),
    pool,
    { ...options, sources },
  );
  const rows = takeRows(arena, execution.rows(0));
  setTimeout(() => abort.abort(), 5);
  await expect(rows).rejects.toMatchObject({ code: "cancelled" });
  await execution.close();
  expect(arena.bytesInUse()).toBe(0);
});

async function answer(run: () => Promise<Row[][]>): Promise<{ rows: Row[] } | { error: string }> {
  try {
    return { rows: (await run())[0] ?? [] };
  } catch (error) {
    return { error: error instanceof Error ? String(error.stack) : String(error) };
  }
}

test(`${PLAN_COUNT} random plans over rows that arrive (seed ${SEED})`, { timeout: 300_000 }, async () => {
  const connection = await connectDuckDb();
  const arena = Arena.create({ limitBytes: 1 << 30 });
  for (let i = 0; i < PLAN_COUNT; i++) {
    const seed = SEED + i;
    const random = new Random(seed);
    const given = await caseIn(connection, random, CASE_ROWS_MAX);
    const schemas = new Map<string, Schema>(given.tables.map((table) => [table.name, schema([...table.fields])]));
    const logical = { name: "case", roots: [given.query.node] };
    let plan: Plan;
    try {
      plan = optimise(bind(logical, (spec) => schemas.get(String(spec.options["table"])) as Schema));
    } catch {
      continue;
    }
    const tables = new Map(given.tables.map((table) => [table.name, batchesOf(arena, table)]));
    const arrives = random.chance(0.7) ? () => true : (table: string) => table === "t";
    const setup = { arena, logical, tables, random, workers: random.pick([1, 2, 3]) };
    const whole = await answer(() => rowsOf(plan, { ...setup, arrives: () => false }));
    const rounds = await answer(() => rowsOf(plan, { ...setup, arrives }));
    const text = `PLANS=1 SEED=${seed}\n${explainPlan(plan)}\n${given.query.sql}`;
    if ("error" in whole || "error" in rounds) {
      expect(
        "error" in rounds && "error" in whole,
        `${JSON.stringify([whole, rounds].find((r) => "error" in r))} ${text}`,
      ).toBe(true);
    } else {
      const { fields } = given.query;
      const plain = (of: readonly Row[]) => {
        return of.map((row) => fields.map(({ name, type }) => plainOfCell(type, row[name] ?? null)));
      };
      const ordered = given.query.inOrder ? [...fields.keys()] : given.ordered;
      const types = fields.map(({ type }) => type);
      expect(differenceOf(plain(rounds.rows), plain(whole.rows), { types, ordered }), text).toBeNull();
    }
    for (const batches of tables.values()) for (const batch of batches) releaseBatch(arena, batch);
  }
  expect(arena.bytesInUse()).toBe(0);
});
