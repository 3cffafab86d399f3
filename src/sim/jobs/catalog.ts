/** Jobs that clients of the simulator submit, and what an undisturbed run of each gives. */
import { type LogicalPlan, type OperatorId, type UserFunction, userFunctionsOf } from "../../plan/mod.ts";
import { col, count, dataflow, type Sink, Stream, sum } from "../../stream/mod.ts";
import type { Seeded } from "../world/seeded.ts";
import { INPUT_FILES, inputPath } from "./input.ts";

/** A job as a client means it. Equal texts mean equal jobs but for where they write. */
export interface JobSpec {
  readonly kind: JobKind;
  /** Input files that it reads. */
  readonly files: number;
  readonly factor: number;
  /** What the first sink writes. */
  readonly path: string;
}

export const JOB_KINDS = [
  "filter",
  "group",
  "groupTwice",
  "join",
  "joinAll",
  "sort",
  "topK",
  "map",
  "mapSink",
  "sink",
  "groupSink",
  "both",
  "twoSinks",
  "fails",
] as const;
export type JobKind = (typeof JOB_KINDS)[number];

export function drawJob(random: Seeded, path: string, kinds: readonly JobKind[] = JOB_KINDS): JobSpec {
  const kind = random.pick(kinds) ?? "filter";
  return { kind, files: 1 + random.below(INPUT_FILES), factor: 1 + random.below(4), path };
}

function numbers(files: number) {
  const paths = Array.from({ length: files }, (_, file) => inputPath(file));
  return Stream.fromArrow(paths, { schema: { id: "int64", x: "int64", name: "utf8" } });
}

/** Throws from the 50th row on, which every job reads. */
function failing(row: { readonly id: bigint | null }): { y: bigint | null } {
  if (row.id !== null && row.id >= 50n) throw new RangeError("no more than 50 rows, please");
  return { y: row.id };
}

function rootsOf({ kind, files, factor, path }: JobSpec): Stream | Sink | readonly (Stream | Sink)[] {
  const source = numbers(files);
  const doubled = () => source.map((row) => ({ y: (row.x ?? 0n) * BigInt(factor) + (row.id ?? 0n) }), { y: "int64" });
  const grouped = () => source.groupBy("name").aggregate({ n: count(), total: sum("x") });
  switch (kind) {
    case "filter":
      return source.filter(col("x").lt(500)) as Stream;
    case "group":
      return grouped() as Stream;
    case "groupTwice":
      return source.groupBy("x").aggregate({ n: count() }).groupBy("n").aggregate({ m: count() }) as Stream;
    case "join":
      return source.join(numbers(1).rename({ id: "other", name: "who", x: "key" }), {
        on: { x: "key" },
      }) as Stream;
    case "joinAll": {
      const other = numbers(INPUT_FILES).rename({ id: "other", name: "who", x: "key" });
      return source.join(other, { on: { id: "other" }, how: "full" }) as Stream;
    }
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
    case "twoSinks":
      return [grouped().toCsv(path), source.filter(col("x").lt(300)).toJson(secondPath(path))];
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

/** What it writes. */
export function sinkPathsOf({ kind, path }: JobSpec): readonly string[] {
  switch (kind) {
    case "mapSink":
    case "sink":
    case "groupSink":
    case "both":
      return [path];
    case "twoSinks":
      return [path, secondPath(path)];
    default:
      return [];
  }
}

function secondPath(path: string): string {
  return `${path}.second`;
}
