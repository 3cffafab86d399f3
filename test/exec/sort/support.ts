import {
  type Arena,
  type Batch,
  batchFromRows,
  binary,
  bool,
  type Cell,
  type CellInput,
  type DataType,
  date32,
  decimal,
  dictionary,
  duration,
  field,
  fixedSizeBinary,
  float32,
  float64,
  int8,
  int16,
  int32,
  int64,
  nullType,
  releaseBatch,
  rowsOf,
  type Schema,
  schema,
  time,
  timestamp,
  uint8,
  uint16,
  uint32,
  uint64,
  utf8,
  valueType,
} from "../../../src/arrow/mod.ts";
import type { Tools } from "../../../src/connectors/mod.ts";
import { type ExecuteOptions, executePlan, InlinePool } from "../../../src/exec/mod.ts";
import type { PlanNode, ScanNode, SortKey, SortNode } from "../../../src/plan/mod.ts";
import type { SeededRandom } from "../../codegen/random.ts";

export const KEY_TYPES: readonly DataType[] = [
  bool,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float32,
  float64,
  decimal(18, 2),
  decimal(38, 4),
  utf8,
  dictionary(utf8),
  dictionary(int32),
  binary,
  fixedSizeBinary(9),
  date32,
  timestamp("microsecond", "UTC"),
  time("millisecond"),
  time("nanosecond"),
  duration("second"),
  nullType,
];

export interface TestKey {
  readonly column: string;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export type TestRow = Record<string, CellInput>;

/** Rows as batches of random sizes, empty ones among them; some batches of a column have no nulls. */
export function batchesOf(
  arena: Arena,
  of: Schema,
  from: { readonly rows: readonly TestRow[]; readonly random: SeededRandom; readonly rowsMax: number },
): Batch[] {
  const batches: Batch[] = [];
  for (let start = 0; start < from.rows.length; ) {
    const count = from.random.below(from.rowsMax);
    batches.push(batchFromRows(arena, of, from.rows.slice(start, start + count), 0));
    start += count;
  }
  return batches;
}

export function scanOf(of: Schema): ScanNode {
  const source = { connector: "memory", options: { table: "t" } };
  return { kind: "scan", id: 1, schema: of, source, predicate: null, rowLimit: null };
}

export function sortKey(of: Schema, key: TestKey): SortKey {
  const type = of.fields.find(({ name }) => name === key.column)?.type ?? nullType;
  const expression = { kind: "column", name: key.column, type: valueType(type), nullable: true } as const;
  return { expression, descending: key.descending, nullsFirst: key.nullsFirst };
}

export function sortOf(
  input: PlanNode,
  options: { readonly keys: readonly SortKey[]; readonly limit?: number | null; readonly offset?: number },
): SortNode {
  const { keys, limit = null, offset = 0 } = options;
  return { kind: "sort", id: 7, schema: input.schema, input, keys, limit, offset };
}

export async function runPlan(
  arena: Arena,
  root: PlanNode,
  options: Partial<ExecuteOptions> & { readonly batches: readonly Batch[]; readonly workers: number },
): Promise<Record<string, Cell>[]> {
  // No plan of these tests reads files.
  const tools = {} as Tools;
  const { batches, workers, ...rest } = options;
  const pool = new InlinePool({ arena, tools, userFunctions: new Map(), size: workers });
  const tables = new Map([["t", batches]]);
  const execution = executePlan({ name: "sort", roots: [root] }, pool, { tables, ...rest, tools });
  const rows: Record<string, Cell>[] = [];
  try {
    for await (const batch of execution.rows(0)) {
      rows.push(...(rowsOf(arena, batch) as Iterable<Record<string, Cell>>));
      releaseBatch(arena, batch);
    }
  } finally {
    await execution.close();
  }
  return rows;
}

/** Rows in the order that the keys ask for: the specification in JavaScript. */
export function expectedOrder(of: Schema, rows: readonly TestRow[], keys: readonly TestKey[]): TestRow[] {
  const columns = keys.map((key) => {
    const type = of.fields.find(({ name }) => name === key.column)?.type ?? nullType;
    return { ...key, compare: comparatorOf(valueType(type)) };
  });
  return [...rows].sort((a, b) => {
    for (const { column, descending, nullsFirst, compare } of columns) {
      const [x, y] = [a[column] ?? null, b[column] ?? null];
      if (x === null && y === null) continue;
      if (x === null || y === null) return (x === null) === nullsFirst ? -1 : 1;
      const order = compare(x as never, y as never);
      if (order !== 0) return descending ? -order : order;
    }
    return 0;
  });
}

function comparatorOf(type: DataType): (a: never, b: never) => number {
  switch (type.kind) {
    case "float32":
    case "float64":
      return (a: number, b: number) => {
        if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
        return a < b ? -1 : a > b ? 1 : 0;
      };
    case "decimal":
      return (a: string, b: string) => plainOrder(decimalUnits(a, type.scale), decimalUnits(b, type.scale));
    case "utf8":
      return (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
    case "binary":
    case "fixedSizeBinary":
      return (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b);
    default:
      return (a: number | bigint | boolean, b: number | bigint | boolean) => plainOrder(a, b);
  }
}

function plainOrder<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function decimalUnits(text: string, scale: number): bigint {
  const [whole = "0", fraction = ""] = text.replace("-", "").split(".");
  const units = BigInt(whole + fraction.padEnd(scale, "0"));
  return text.startsWith("-") ? -units : units;
}

/** A value of `type`, from a set small enough that ties are many, edges among them. */
export function randomCell(type: DataType, random: SeededRandom): CellInput {
  const signed = (bits: bigint) =>
    random.pick([-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n, 0n, -1n, 1n, BigInt(random.below(100)) - 50n]);
  const unsigned = (bits: bigint) => random.pick([0n, (1n << bits) - 1n, 1n << (bits - 1n), BigInt(random.below(100))]);
  switch (type.kind) {
    case "bool":
      return random.below(2) === 1;
    case "int8":
    case "int16":
    case "int32":
      return Number(signed(BigInt(type.kind.slice(3))));
    case "uint8":
    case "uint16":
    case "uint32":
      return Number(unsigned(BigInt(type.kind.slice(4))));
    case "int64":
    case "timestamp":
    case "duration":
      return signed(64n);
    case "uint64":
      return unsigned(64n);
    case "date32":
      return random.below(100) - 50;
    case "time":
      return type.unit === "millisecond" ? random.below(86_400_000) : BigInt(random.below(1000)) * 86_399_999_999n;
    case "float32":
    case "float64":
      return random.pick([Number.NaN, -0, 0, Infinity, -Infinity, 1.5, -1.5, 2 ** -140, random.below(1000) / 4 - 100]);
    case "decimal": {
      const units = random.below(3) === 0 ? random.integer(10n ** BigInt(type.precision)) : BigInt(random.below(9) - 4);
      const digits = (units < 0n ? -units : units).toString().padStart(type.scale + 1, "0");
      return `${units < 0n ? "-" : ""}${digits.slice(0, -type.scale)}.${digits.slice(-type.scale)}`;
    }
    case "utf8":
      return randomText(random);
    case "binary":
      return Buffer.concat([Buffer.from(randomText(random)), Buffer.alloc(random.below(3))]);
    case "fixedSizeBinary":
      return Buffer.from(
        randomText(random)
          .replace(/[^a-z]/g, "a")
          .padEnd(type.byteWidth, "\0")
          .slice(0, type.byteWidth),
      );
    case "dictionary":
      return randomCell(type.value, random);
    default:
      return null;
  }
}

const STEMS = [
  "",
  "a",
  "ab",
  "prefix-",
  "prefix-that-is-long-",
  "exactly",
  "exactly7",
  "żółw",
  "日本語のテキスト",
  "z".repeat(60),
];

function randomText(random: SeededRandom): string {
  const stem = random.pick(STEMS);
  return random.below(2) === 0 ? stem : stem + random.pick(["\0", "0", "12", "é", "tail of some length", "😀"]);
}

/** Columns `k0`, `k1` … of these types, `id` with the row's number, and some payload. */
export function testSchema(types: readonly DataType[]): Schema {
  return schema([
    field("id", int32, false),
    ...types.map((type, i) => field(`k${i}`, type)),
    field("text", utf8),
    field("flag", bool),
    field("amount", decimal(20, 2)),
  ]);
}

export function testRows(
  types: readonly DataType[],
  options: { readonly random: SeededRandom; readonly count: number; readonly nullShare?: number },
): TestRow[] {
  const { random, count, nullShare = 8 } = options;
  const maybe = (cell: () => CellInput) => (nullShare > 0 && random.below(nullShare) === 0 ? null : cell());
  return Array.from({ length: count }, (_, id) => ({
    id,
    ...Object.fromEntries(types.map((type, i) => [`k${i}`, maybe(() => randomCell(type, random))])),
    text: maybe(() => randomText(random)),
    flag: maybe(() => random.below(2) === 1),
    amount: maybe(() => `${random.below(1000)}.25`),
  }));
}
