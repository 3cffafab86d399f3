import { readdirSync, readFileSync } from "node:fs";
import {
  Arena,
  type Batch,
  type Cell,
  columnReader,
  type DataType,
  type Schema,
  typeName,
} from "../../src/arrow/mod.ts";
import { type SourceRequest, sourceOf } from "../../src/connectors/mod.ts";
import type { ConnectorSpec } from "../../src/plan/mod.ts";
import { nodeCompression } from "../../src/platform/compression.ts";
import { nodeDisk } from "../../src/platform/disk.ts";

export const tools = { disk: nodeDisk(), compression: nodeCompression() };
export const DATA = new URL("../data/", import.meta.url).pathname;
export const arena = Arena.create({ limitBytes: 2 ** 31 });

export interface Loaded {
  readonly schema: Schema;
  readonly rows: Cell[][];
  readonly skippedRows: number;
  readonly splitCount: number;
}

export interface LoadOptions extends Partial<SourceRequest> {
  readonly batchRows?: number;
}

export function spec(connector: string, options: Record<string, unknown>): ConnectorSpec {
  return { connector, options };
}

/** Describes, splits and reads a whole source; fails when something stays in the arena. */
export async function load(source: ConnectorSpec, options: LoadOptions = {}): Promise<Loaded> {
  const before = arena.bytesInUse();
  const rows: Cell[][] = [];
  const facts = await forEachBatch(source, options, (batch) => collect(batch, rows));
  const left = arena.bytesInUse() - before;
  if (left !== 0) throw new Error(`${left} bytes stayed in the arena`);
  return { ...facts, rows };
}

/** Batches in order, released after `use`. */
export async function forEachBatch(
  source: ConnectorSpec,
  options: LoadOptions,
  use: (batch: Batch) => void | Promise<void>,
): Promise<Omit<Loaded, "rows">> {
  const connector = sourceOf(source);
  const { schema } = await connector.describe(source, tools);
  const columns = options.columns ?? schema.fields.map((f) => f.name);
  const request = { columns, predicate: options.predicate ?? null, rowLimit: options.rowLimit ?? null };
  const splits = structuredClone(await connector.splits(source, request, tools));
  let skippedRows = 0;
  const batchRows = options.batchRows ?? 65_536;
  for (const split of splits) {
    const context = { ...tools, arena, owner: 7, batchRows, signal: { aborted: false } };
    const reader = connector.open(source, request, split, context);
    try {
      for (let batch = await reader.read(batchRows); batch !== null; batch = await reader.read(batchRows)) {
        await use(batch);
        for (const block of batch.blocks) arena.release(block);
      }
      skippedRows += reader.skippedRows?.() ?? 0;
    } finally {
      reader.close();
    }
  }
  return { schema, skippedRows, splitCount: splits.length };
}

function collect(batch: Batch, rows: Cell[][]): void {
  const readers = batch.columns.map((column) => columnReader(arena, column));
  if (batch.rowCount === 0) throw new Error("an empty batch");
  for (let row = 0; row < batch.rowCount; row++) rows.push(readers.map((read) => read(row)));
}

export interface Expected {
  readonly schema: readonly { name: string; type: string; nullable: boolean }[];
  readonly rowCount: number;
  readonly rows: readonly (readonly unknown[])[];
  readonly options?: { delimiter?: string; escape?: string; header?: boolean; nullMarkers?: string[] };
  readonly badRows?: readonly number[];
  readonly note?: string;
}

export function fixtures(...endings: string[]): string[] {
  return readdirSync(DATA)
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort();
}

export function expectedOf(name: string): Expected {
  return JSON.parse(readFileSync(`${DATA}${name}.expected.json`, "utf8")) as Expected;
}

/** A cell as `expected.json` writes it. */
export function plain(type: DataType, cell: Cell): unknown {
  if (cell === null) return null;
  switch (type.kind) {
    case "dictionary":
      return plain(type.value, cell);
    case "float32":
    case "float64":
      return Object.is(cell, -0) ? "-0" : Number.isFinite(cell) ? cell : String(cell);
    case "list":
      return (cell as Cell[]).map((item) => plain(type.item.type, item));
    case "struct":
      return Object.fromEntries(
        type.fields.map((f) => [f.name, plain(f.type, (cell as Record<string, Cell>)[f.name] ?? null)]),
      );
    case "date32":
    case "time":
      return String(cell);
    default:
      if (typeof cell === "bigint") return String(cell);
      return cell instanceof Uint8Array ? Buffer.from(cell).toString("hex") : cell;
  }
}

export function plainRows(loaded: Loaded): unknown[][] {
  return loaded.rows.map((row) => row.map((cell, i) => plain(loaded.schema.fields[i]?.type as DataType, cell)));
}

export function types(schema: Schema): string[] {
  return schema.fields.map((f) => `${f.name}: ${typeName(f.type)}`);
}
