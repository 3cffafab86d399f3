/** Joins of small tables through the real pipeline, and the same by comparing every pair of rows. */
import {
  Arena,
  type Batch,
  BatchBuilder,
  type CellInput,
  type DataType,
  type Field,
  field,
  int64,
  releaseBatch,
  rowsOf,
  type Schema,
  schema,
  valueType,
} from "../../../src/arrow/mod.ts";
import { executePlan, InlinePool } from "../../../src/exec/mod.ts";
import type { JoinKind, JoinNode, PlanNode, ScanNode, TypedExpression } from "../../../src/plan/mod.ts";
import { randomCell } from "../../differential/cells.ts";
import type { Random } from "../../differential/random.ts";

export type Row = Readonly<Record<string, unknown>>;

export const arena = Arena.create({ limitBytes: 1 << 30 });

export interface Table {
  readonly schema: Schema;
  readonly rows: readonly (readonly CellInput[])[];
}

export function batchesOf(table: Table, batchRows: number): Batch[] {
  const batches: Batch[] = [];
  for (let start = 0; start < Math.max(1, table.rows.length); start += batchRows) {
    const builder = new BatchBuilder(arena, table.schema, 0, batchRows);
    for (const row of table.rows.slice(start, start + batchRows)) builder.appendValues([...row]);
    batches.push(builder.finish());
  }
  return batches;
}

export function scan(id: number, table: string, of: Schema): ScanNode {
  const source = { connector: "memory", options: { table } };
  return { kind: "scan", id, schema: of, source, predicate: null, rowLimit: null };
}

export function column(of: Schema, name: string): TypedExpression {
  const found = of.fields.find((f) => f.name === name);
  if (found === undefined) throw new Error(`no column ${name}`);
  return { kind: "column", name, type: valueType(found.type), nullable: found.nullable };
}

const nullable = (fields: readonly Field[], yes: boolean) =>
  fields.map((f) => field(f.name, f.type, f.nullable || yes));

export function outputSchema(how: JoinKind, left: Schema, right: Schema): Schema {
  if (how === "semi" || how === "anti") return left;
  return schema([
    ...nullable(left.fields, how === "right" || how === "full"),
    ...nullable(right.fields, how === "left" || how === "full"),
  ]);
}

/** Key columns k0, k1, … of the given types and a number, on both sides. */
export interface Sides {
  readonly left: Table;
  readonly right: Table;
  readonly keyCount: number;
}

export interface JoinOptions {
  readonly how: JoinKind;
  readonly buildSide: "left" | "right";
  /** l_v < r_v is part of the match. */
  readonly residual?: boolean;
}

export function joinNode(sides: Sides, options: JoinOptions): JoinNode {
  const [left, right] = [sides.left.schema, sides.right.schema];
  return {
    kind: "join",
    id: 3,
    how: options.how,
    left: scan(1, "left", left),
    right: scan(2, "right", right),
    keys: Array.from({ length: options.how === "cross" ? 0 : sides.keyCount }, (_, i) => ({
      left: column(left, `l_k${i}`),
      right: column(right, `r_k${i}`),
    })),
    residual: options.residual ? lessThan(left, right) : null,
    buildSide: options.buildSide,
    schema: outputSchema(options.how, left, right),
  };
}

function lessThan(left: Schema, right: Schema): TypedExpression {
  const args = [column(left, "l_v"), column(right, "r_v")];
  return { kind: "call", fn: "lt", args, type: { kind: "bool" }, nullable: true };
}

export interface RunOptions {
  readonly workers?: number;
  readonly batchRows?: number;
  readonly morselRows?: number;
  readonly signal?: AbortSignal;
  /** What the arena has left beside the tables. */
  readonly spareBytes?: number;
  /** Takes so many batches, then stops. */
  readonly batchesTaken?: number;
  /** Called for each batch that is taken. */
  readonly onBatch?: () => void;
}

const BALLAST_BYTES = 1 << 20;

/** Takes memory until about so many bytes are left. */
function fillArena(spareBytes: number): number[] {
  const blocks: number[] = [];
  while (arena.limitBytes - arena.bytesInUse() > spareBytes + 2 * BALLAST_BYTES) {
    blocks.push(arena.allocate(BALLAST_BYTES, 0));
  }
  return blocks;
}

/** Runs a plan over tables and checks that nothing stays in the arena, also when it failed. */
export async function run(
  node: PlanNode,
  tables: Readonly<Record<string, Table>>,
  options: RunOptions = {},
): Promise<Row[]> {
  const before = arena.bytesInUse();
  const [settled] = await Promise.allSettled([runTables(node, tables, options)]);
  const leaked = arena.bytesInUse() - before;
  if (leaked !== 0) throw new Error(`${leaked} bytes were not given back`);
  if (settled.status === "rejected") throw settled.reason;
  return settled.value;
}

async function runTables(node: PlanNode, tables: Readonly<Record<string, Table>>, options: RunOptions): Promise<Row[]> {
  const batchRows = options.batchRows ?? 64;
  const entries = Object.entries(tables).map(([name, table]) => [name, batchesOf(table, batchRows)] as const);
  const ballast = options.spareBytes === undefined ? [] : fillArena(options.spareBytes);
  const pool = new InlinePool({ arena, tools: null as never, userFunctions: new Map(), size: options.workers ?? 1 });
  try {
    const execution = executePlan({ name: "join", roots: [node] }, pool, {
      tools: null as never,
      tables: new Map(entries),
      batchRows,
      morselRows: options.morselRows ?? 16,
      signal: options.signal ?? null,
    });
    const rows: Row[] = [];
    let batchesLeft = options.batchesTaken ?? Number.POSITIVE_INFINITY;
    try {
      for await (const batch of execution.rows(0)) {
        try {
          options.onBatch?.();
          rows.push(...rowsOf(arena, batch));
        } finally {
          releaseBatch(arena, batch);
        }
        batchesLeft--;
        if (batchesLeft <= 0) break;
      }
    } finally {
      await execution.close();
      await pool.close();
    }
    return rows;
  } finally {
    for (const block of ballast) arena.release(block);
    for (const [, batches] of entries) for (const batch of batches) releaseBatch(arena, batch);
  }
}

export async function runJoin(sides: Sides, options: JoinOptions & RunOptions): Promise<string[]> {
  const rows = await run(joinNode(sides, options), { left: sides.left, right: sides.right }, options);
  return texts(rows);
}

export function texts(rows: readonly Row[]): string[] {
  return rows.map(rowText).sort();
}

function rowText(row: Row): string {
  return Object.entries(row)
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join(" ");
}

function valueText(value: unknown): string {
  if (Object.is(value, -0)) return "-0";
  if (typeof value !== "object" || value === null) return String(value);
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? `${inner}n` : inner));
}

function readBack(table: Table): Row[] {
  const batches = batchesOf(table, Math.max(1, table.rows.length));
  const rows = batches.flatMap((batch) => [...rowsOf(arena, batch)]);
  for (const batch of batches) releaseBatch(arena, batch);
  return rows;
}

/** Every pair of rows that have the same keys. */
export function naiveJoin(sides: Sides, options: JoinOptions): string[] {
  const [lefts, rights] = [readBack(sides.left), readBack(sides.right)];
  const { how } = options;
  const keyCount = how === "cross" ? 0 : sides.keyCount;
  const byKey = Map.groupBy(rights, (row) => keyText(row, "r", keyCount));
  const candidates = (l: Row) => {
    const key = keyText(l, "l", keyCount);
    return key === null ? [] : (byKey.get(key) ?? []);
  };
  const matches = (l: Row, r: Row) => !options.residual || isLess(l["l_v"], r["r_v"]);
  const noLeft = Object.fromEntries(sides.left.schema.fields.map((f) => [f.name, null]));
  const noRight = Object.fromEntries(sides.right.schema.fields.map((f) => [f.name, null]));
  const pairs = lefts.flatMap((l) =>
    candidates(l)
      .filter((r) => matches(l, r))
      .map((r) => [l, r] as const),
  );
  const [hitLeft, hitRight] = [new Set(pairs.map(([l]) => l)), new Set(pairs.map(([, r]) => r))];
  if (how === "semi") return texts(lefts.filter((l) => hitLeft.has(l)));
  if (how === "anti") return texts(lefts.filter((l) => !hitLeft.has(l)));
  const rows: Row[] = pairs.map(([l, r]) => ({ ...l, ...r }));
  if (how === "left" || how === "full") {
    rows.push(...lefts.filter((l) => !hitLeft.has(l)).map((l) => ({ ...l, ...noRight })));
  }
  if (how === "right" || how === "full") {
    rows.push(...rights.filter((r) => !hitRight.has(r)).map((r) => ({ ...noLeft, ...r })));
  }
  return texts(rows);
}

function isLess(a: unknown, b: unknown): boolean {
  return a !== null && b !== null && (a as bigint) < (b as bigint);
}

/** Equal for keys that match; null when a key is null. */
function keyText(row: Row, side: "l" | "r", keyCount: number): string | null {
  const keys = Array.from({ length: keyCount }, (_, i) => row[`${side}_k${i}`]);
  if (keys.includes(null)) return null;
  return keys.map((key) => valueText(key === 0 ? 0 : key)).join(" | ");
}

export interface SideOptions {
  readonly keyTypes: readonly DataType[];
  readonly leftRows: number;
  readonly rightRows: number;
  /** Different values of each key. */
  readonly distinct?: number;
  readonly nulls?: number;
}

/** Random tables with the same few key values on both sides. */
export function randomSides(random: Random, options: SideOptions): Sides {
  const { keyTypes, distinct = 10, nulls = 0.1 } = options;
  const pools = keyTypes.map((type) => Array.from({ length: distinct }, () => someCell(random, type)));
  const table = (side: "l" | "r", rowCount: number): Table => ({
    schema: schema([
      ...keyTypes.map((type, i) => field(`${side}_k${i}`, type, nulls > 0)),
      field(`${side}_v`, int64, true),
      field(`${side}_text`, { kind: "utf8" }, true),
    ]),
    rows: Array.from({ length: rowCount }, () => [
      ...pools.map((pool) => (random.chance(nulls) ? null : random.pick(pool))),
      randomCell(random, int64),
      randomCell(random, { kind: "utf8" }),
    ]),
  });
  return { left: table("l", options.leftRows), right: table("r", options.rightRows), keyCount: keyTypes.length };
}

function someCell(random: Random, type: DataType): CellInput {
  const { kind } = type;
  if (kind === "dictionary") return someCell(random, type.value);
  if (kind === "largeUtf8") return someCell(random, { kind: "utf8" });
  if (kind === "binary" || kind === "fixedSizeBinary") {
    const bytes = kind === "binary" ? random.below(20) : type.byteWidth;
    return Uint8Array.from({ length: bytes }, () => random.below(3));
  }
  if (kind === "time") return type.unit === "second" ? random.below(86_400) : BigInt(random.below(86_400));
  if (kind === "duration") return BigInt(random.below(1_000));
  for (;;) {
    const cell = randomCell(random, type);
    if (cell !== null) return cell;
  }
}
