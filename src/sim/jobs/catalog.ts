/** Jobs that clients of the simulator submit, and what an undisturbed run of each gives. */
import { type LogicalPlan, type OperatorId, type UserFunction, userFunctionsOf } from "../../plan/mod.ts";
import { col, count, dataflow, type Sink, Stream, sum } from "../../stream/mod.ts";
import type { Seeded } from "../world/seeded.ts";

/** A job as a client means it. Equal texts mean equal jobs but for where they write. */
export interface JobSpec {
  readonly kind: JobKind;
  readonly rows: number;
  readonly seed: number;
  /** What sinks write. */
  readonly path: string;
}

export const JOB_KINDS = [
  "filter",
  "group",
  "file",
  "join",
  "sort",
  "topK",
  "map",
  "mapSink",
  "sink",
  "groupSink",
  "both",
  "fails",
] as const;
export type JobKind = (typeof JOB_KINDS)[number];

/** A file that all nodes see. */
export const INPUT_PATH = "/shared/in/numbers.csv";
const INPUT_ROWS = 400;
const ROWS_MIN = 20;
const ROWS_MAX = 3_000;

export function drawJob(random: Seeded, path: string): JobSpec {
  const kind = random.pick(JOB_KINDS) ?? "filter";
  return { kind, rows: ROWS_MIN + random.below(ROWS_MAX - ROWS_MIN), seed: random.below(4), path };
}

export function inputFile(): Uint8Array {
  const lines = Array.from({ length: INPUT_ROWS }, (_, row) => `${row},${(row * 7_919) % 101}`);
  return new TextEncoder().encode(`${["id,x", ...lines].join("\n")}\n`);
}

function numbers(rows: number, seed: number) {
  return Stream.generate({
    rows,
    seed,
    columns: {
      id: { kind: "sequence" },
      x: { kind: "random", type: "int64", max: 999 },
      name: { kind: "choice", values: ["ada", "bob", "cy", "dee", "eve"] },
    },
  });
}

/** Throws from the 50th row on. */
function failing(row: { readonly id: bigint }): { y: bigint } {
  if (row.id >= 50n) throw new RangeError("no more than 50 rows, please");
  return { y: row.id };
}

function rootsOf({ kind, rows, seed, path }: JobSpec): Stream | Sink | readonly (Stream | Sink)[] {
  const source = numbers(rows, seed);
  const doubled = () => source.map((row) => ({ y: row.x * 2n + row.id }), { y: "int64" });
  const grouped = () => source.groupBy("name").aggregate({ n: count(), total: sum("x") });
  switch (kind) {
    case "filter":
      return source.filter(col("x").lt(500)) as Stream;
    case "group":
      return grouped() as Stream;
    case "file":
      return Stream.fromCsv(INPUT_PATH).groupBy("x").aggregate({ n: count() }) as Stream;
    case "join":
      return source.join(numbers(60, seed + 1).rename({ id: "other", name: "who", x: "key" }), {
        on: { x: "key" },
      }) as Stream;
    case "sort":
      return source.orderBy("x", "id") as Stream;
    case "topK":
      return source.orderBy({ x: "desc", id: "asc" }).limit(25) as Stream;
    case "map":
      return doubled() as Stream;
    case "mapSink":
      return doubled().toCsv(path);
    case "sink":
      return source.filter(col("x").gt(100)).toJson(path);
    case "groupSink":
      return grouped().toCsv(path);
    case "both":
      return [grouped() as Stream, source.filter(col("x").lt(300)).toCsv(path)];
    case "fails":
      return source.map(failing, { y: "int64" }) as Stream;
  }
}

export function planOf(spec: JobSpec): LogicalPlan {
  return dataflow(spec.kind, () => rootsOf(spec)).plan;
}

/** Virtual bundles are the job's text. */
export function bundleOf(spec: JobSpec): Uint8Array | null {
  return userFunctionsOf(planOf(spec)).size === 0 ? null : new TextEncoder().encode(JSON.stringify(spec));
}

export function functionsOf(bundle: string): ReadonlyMap<OperatorId, UserFunction> {
  return userFunctionsOf(planOf(JSON.parse(bundle) as JobSpec)); // as `bundleOf` wrote it
}

/** Whether rows come in an order that the job asks for. */
export function isOrdered({ kind }: JobSpec): boolean {
  return kind === "sort" || kind === "topK";
}

export function writesSink({ kind }: JobSpec): boolean {
  return kind === "mapSink" || kind === "sink" || kind === "groupSink" || kind === "both";
}
