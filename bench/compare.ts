import { releaseBatch, rowsOf } from "../src/arrow/mod.ts";
import type { LogicalNode } from "../src/plan/mod.ts";
import type { Setting } from "./data.ts";

export interface BenchCase {
  readonly name: string;
  readonly sql: string;
  readonly node: LogicalNode;
  /** The ratio that SAGE must reach; null when it is only reported. */
  readonly atLeast: number | null;
  /** Rows of the answer that are compared, in order; the rest is only counted. */
  readonly comparedRows?: number;
}

export interface BenchResult {
  readonly name: string;
  readonly sageMs: number;
  readonly duckMs: number;
  readonly ratio: number;
  readonly atLeast: number | null;
}

const WARMUPS = 6;
const RUNS = 15;

/** Runs both engines in turn; medians of times and of the ratios of neighbouring runs. Throws when answers differ. */
export async function compareCase(setting: Setting, given: BenchCase): Promise<BenchResult> {
  await checkAnswers(setting, given);
  const sage: number[] = [];
  const duck: number[] = [];
  for (let i = 0; i < WARMUPS + RUNS; i++) {
    const duckMs = await timed(() => runDuckDb(setting, given));
    const sageMs = await timed(() => runSage(setting, given));
    if (i < WARMUPS) continue;
    sage.push(sageMs);
    duck.push(duckMs);
  }
  const ratios = duck.map((ms, i) => ms / (sage[i] ?? 1));
  const { name, atLeast } = given;
  return { name, sageMs: median(sage), duckMs: median(duck), ratio: median(ratios), atLeast };
}

async function timed(body: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await body();
  return performance.now() - startMs;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** The result comes out batch by batch and is dropped. */
async function runSage(setting: Setting, given: BenchCase): Promise<void> {
  const { engine, tables } = setting;
  await using run = await engine.run({ name: given.name, roots: [given.node] }, { tables });
  for await (const batch of run.roots[0]?.batches ?? []) releaseBatch(engine.arena, batch);
}

/** The result comes out chunk by chunk and is dropped. */
async function runDuckDb(setting: Setting, given: BenchCase): Promise<void> {
  const result = await setting.connection.stream(given.sql);
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk());
}

async function checkAnswers(setting: Setting, given: BenchCase): Promise<void> {
  const [ours, theirs] = [await sageRows(setting, given), await duckRows(setting, given)];
  if (ours.count !== theirs.count) throw new Error(`${given.name}: ${ours.count} rows, DuckDB has ${theirs.count}`);
  ours.rows.forEach((row, i) => {
    const other = theirs.rows[i] ?? [];
    if (row.every((value, j) => same(value, other[j]))) return;
    throw new Error(`${given.name}: row ${i} is ${row.join(" | ")}, DuckDB has ${other.join(" | ")}`);
  });
}

interface Answer {
  readonly rows: readonly (readonly string[])[];
  readonly count: number;
}

async function sageRows(setting: Setting, given: BenchCase): Promise<Answer> {
  const { engine, tables } = setting;
  const rows: string[][] = [];
  let count = 0;
  await using run = await engine.run({ name: given.name, roots: [given.node] }, { tables });
  for await (const batch of run.roots[0]?.batches ?? []) {
    count += batch.rowCount;
    if (given.comparedRows === undefined || rows.length < given.comparedRows) {
      for (const row of rowsOf(engine.arena, batch)) rows.push(Object.values(row).map(String));
    }
    releaseBatch(engine.arena, batch);
  }
  return { rows: ordered(rows, given), count };
}

async function duckRows(setting: Setting, given: BenchCase): Promise<Answer> {
  const result = await setting.connection.stream(given.sql);
  const rows: string[][] = [];
  let count = 0;
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    count += chunk.rowCount;
    if (given.comparedRows !== undefined && rows.length >= given.comparedRows) continue;
    for (const row of chunk.getRows()) rows.push(row.map(String));
  }
  return { rows: ordered(rows, given), count };
}

/** Without `comparedRows` the order is not part of the answer. */
function ordered(rows: string[][], given: BenchCase): string[][] {
  if (given.comparedRows !== undefined) return rows.slice(0, given.comparedRows);
  return rows.sort((a, b) => (a[0] === b[0] ? compareText(a[1], b[1]) : compareText(a[0], b[0])));
}

function compareText(a = "", b = ""): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const TOLERANCE = 1e-9;

function same(a: string, b: string | undefined): boolean {
  if (a === b) return true;
  const [x, y] = [Number(a), Number(b)];
  return Math.abs(x - y) <= TOLERANCE * Math.max(Math.abs(x), Math.abs(y));
}
