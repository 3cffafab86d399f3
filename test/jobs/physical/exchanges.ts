/** Exchanges as plainly as can be: row by row over cells. What the real ones have to agree with. */
import {
  type Arena,
  type Batch,
  BatchBuilder,
  type Cell,
  type CellInput,
  type DataType,
  releaseBatch,
  rowsOf,
  type Schema,
  valueType,
} from "../../../src/arrow/mod.ts";
import { boundRows, type Exchange } from "../../../src/jobs/mod.ts";
import { type Plain, plainOfCell } from "../../differential/compare.ts";
import type { Random } from "../../differential/random.ts";

export type Row = Readonly<Record<string, Cell>>;

/** Rows of one producer for each consumer. */
export type Shares = readonly (readonly Row[])[];

/** What a task gave to an exchange, which it leaves for `parallelism` consumers. */
export function shareOut(
  exchange: Exchange,
  of: {
    readonly rows: readonly Row[];
    readonly schema: Schema;
    readonly producer: number;
    readonly parallelism: number;
    readonly bounds: readonly Row[];
  },
): Shares {
  const { parallelism, producer } = of;
  const targets = targetsOf(exchange, of);
  const shares: Row[][] = Array.from({ length: parallelism }, () => []);
  of.rows.forEach((row, i) => {
    const { ordinal } = exchange;
    const sent = ordinal === null ? row : { ...row, [ordinal]: BigInt(producer) * 2n ** 40n + BigInt(i) };
    for (const target of targets(row, i)) shares[target]?.push(sent);
  });
  return shares;
}

type Targets = (row: Row, index: number) => readonly number[];

function targetsOf(
  exchange: Exchange,
  of: {
    readonly rows: readonly Row[];
    readonly schema: Schema;
    readonly producer: number;
    readonly parallelism: number;
    readonly bounds: readonly Row[];
  },
): Targets {
  const { parallelism, schema } = of;
  const typeOf = (name: string): DataType => {
    const found = schema.fields.find((each) => each.name === name);
    if (found === undefined) throw new Error(`no column ${name}`);
    return found.type;
  };
  switch (exchange.kind) {
    case "forward":
      return () => [of.producer + exchange.offset];
    case "broadcast": {
      const all = Array.from({ length: parallelism }, (_, i) => i);
      return () => all;
    }
    case "gather": {
      const kept = exchange.sampleRowsMax === null ? null : sampled(of.rows.length, exchange.sampleRowsMax);
      return (_, i) => (kept === null || kept.has(i) ? [0] : []);
    }
    case "roundRobin":
    case "rebalance":
      return (_, i) => [i % parallelism];
    case "hash":
      return (row) => [hashOf(exchange.keys.map((key) => plainOfCell(typeOf(key), row[key] as Cell))) % parallelism];
    case "range": {
      const bounds = boundRows(of.bounds.length, parallelism).map((at) => of.bounds[at] as Row);
      const compare = (a: Row, b: Row): number => {
        for (const { column, descending, nullsFirst } of exchange.keys) {
          const order = compareCells(typeOf(column), [a[column] as Cell, b[column] as Cell], {
            descending,
            nullsFirst,
          });
          if (order !== 0) return order;
        }
        return 0;
      };
      return (row) => [bounds.filter((bound) => compare(row, bound) >= 0).length];
    }
    default:
      throw new Error("no such exchange");
  }
}

function sampled(rowCount: number, rowsMax: number): ReadonlySet<number> {
  const step = Math.max(1, Math.ceil(rowCount / rowsMax));
  return new Set(Array.from({ length: rowCount }, (_, i) => i).filter((i) => i % step === 0));
}

function hashOf(values: readonly Plain[]): number {
  const text = JSON.stringify(values, (_, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
  });
  let hash = 2_166_136_261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16_777_619);
  return (hash ^ (hash >>> 15)) >>> 0;
}

function compareCells(
  type: DataType,
  [a, b]: readonly [Cell, Cell],
  { descending, nullsFirst }: { readonly descending: boolean; readonly nullsFirst: boolean },
): number {
  if (a === null || b === null) {
    if (a === b) return 0;
    return (a === null) === nullsFirst ? -1 : 1;
  }
  const order = compareValues(valueType(type), a, b);
  return descending ? -order : order;
}

function compareValues(type: DataType, a: Cell, b: Cell): number {
  if (type.kind === "decimal") return compareDecimals(String(a), String(b), type.scale);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (typeof a === "number" && typeof b === "number" && (Number.isNaN(a) || Number.isNaN(b))) {
    return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  }
  const [x, y] = [a as number, b as number];
  return x < y ? -1 : x > y ? 1 : 0;
}

function compareDecimals(a: string, b: string, scale: number): number {
  const [x, y] = [unscaled(a, scale), unscaled(b, scale)];
  return x < y ? -1 : x > y ? 1 : 0;
}

function unscaled(text: string, scale: number): bigint {
  const [whole = "0", fraction = ""] = text.replace("-", "").split(".");
  const value = BigInt(whole + fraction.padEnd(Math.max(0, scale), "0"));
  return text.startsWith("-") ? -value : value;
}

/** What a consumer reads of what all producers gave it: in their order, or mixed, each in its own. */
export function readShares(
  exchange: Exchange,
  of: { readonly shares: readonly Shares[]; readonly consumer: number; readonly random: Random },
): Row[] {
  const parts = of.shares.map((shares) => shares[of.consumer] ?? []);
  if (exchange.isOrdered) return parts.flat();
  const next = parts.map(() => 0);
  const rows: Row[] = [];
  const left = () => parts.flatMap((part, i) => ((next[i] as number) < part.length ? [i] : []));
  for (let open = left(); open.length > 0; open = left()) {
    const from = of.random.pick(open);
    const part = parts[from] as readonly Row[];
    const count = 1 + of.random.below(part.length);
    rows.push(...part.slice(next[from], (next[from] as number) + count));
    next[from] = (next[from] as number) + count;
  }
  return rows;
}

export function batchesOfRows(
  arena: Arena,
  schema: Schema,
  of: { readonly rows: readonly Row[]; readonly batchRows: number },
): Batch[] {
  const batches: Batch[] = [];
  for (let start = 0; start < Math.max(1, of.rows.length); start += of.batchRows) {
    const rows = of.rows.slice(start, start + of.batchRows);
    const builder = new BatchBuilder(arena, schema, 0, Math.max(1, rows.length));
    for (const row of rows) builder.appendValues(schema.fields.map(({ name }) => row[name] as CellInput));
    batches.push(builder.finish());
  }
  return batches;
}

export async function takeRows(arena: Arena, batches: AsyncIterable<Batch>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches) {
    rows.push(...rowsOf(arena, batch));
    releaseBatch(arena, batch);
  }
  return rows;
}
