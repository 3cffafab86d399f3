import { field, int64, schema, utf8 } from "../../../src/arrow/mod.ts";
import { type PhysicalOptions, type PhysicalPlan, planPhysical } from "../../../src/jobs/mod.ts";
import { bind, type LogicalNode, optimise } from "../../../src/plan/mod.ts";
import { avg, count, first, Stream } from "../../../src/stream/mod.ts";

const SCHEMA = schema([field("id", int64, false), field("word", utf8)]);

const stream = (table: string) => new Stream({ kind: "scan", source: { connector: "memory", options: { table } } });

type Build = () => readonly { readonly node: LogicalNode }[];

const FLOWS: Readonly<Record<string, Build>> = {
  scan: () => [stream("t")],
  groups: () => [
    stream("t")
      .groupBy("word")
      .aggregate({ n: count(), a: first("id") })
      .orderBy("word"),
  ],
  sink: () => [
    stream("t")
      .groupBy("word")
      .aggregate({ mean: avg("id") })
      .toCsv("out.csv"),
  ],
  twoSinks: () => [stream("t").toCsv("one.csv"), stream("u").toCsv("two.csv")],
  join: () => [stream("t").join(stream("u").select("word"), { on: "word" }).orderBy("id").limit(9).toJson("out.jsonl")],
  // Which of the groups come first depends on the run.
  unrepeatable: () => {
    const some = stream("t").groupBy("word").aggregate({ n: count() }).limit(5);
    return [some.join(stream("u").select("word"), { on: "word" }), some.toCsv("some.csv")];
  },
  shared: () => {
    const words = stream("t").groupBy("word").aggregate({ n: count() });
    return [words.orderBy("n").toCsv("words.csv"), words.join(stream("u"), { on: "word", how: "left" })];
  },
};

export const FLOW_NAMES = Object.keys(FLOWS);

export function planOf(name: string, options: Partial<PhysicalOptions>): PhysicalPlan {
  const build = FLOWS[name];
  if (build === undefined) throw new Error(`no flow ${name}`);
  const plan = optimise(bind({ name, roots: build().map(({ node }) => node) }, () => SCHEMA));
  return planPhysical(plan, { slots: 6, broadcastRowsMax: 0, ...options });
}
