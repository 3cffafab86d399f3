import { describe, expect, test } from "vitest";
import { bind, explainPlan, userFunctionsOf } from "../../src/plan/mod.ts";
import { col, count, dataflow, isDataflow, lit, Stream, sum } from "../../src/stream/mod.ts";
import { messageOf, planOf, schemaOf } from "../plan/planning.ts";

const optionsOf = (stream: Stream) => (stream.node.kind === "scan" ? stream.node.source : null);

describe("sources", () => {
  test("a CSV source carries every option, defaults filled in", () => {
    expect(optionsOf(Stream.fromCsv(["a.csv", "b/*.csv"], { delimiter: ";", onBadRow: { path: "bad.csv" } }))).toEqual({
      connector: "csv",
      options: {
        paths: ["a.csv", "b/*.csv"],
        schema: null,
        delimiter: ";",
        quote: '"',
        escape: null,
        header: true,
        nulls: [""],
        skipRows: 0,
        comment: null,
        onBadRow: { path: "bad.csv" },
        inferRows: 1000,
      },
    });
  });

  test("options that make no sense are refused when written", () => {
    expect(messageOf(() => Stream.fromCsv("a", { delimiter: "::" }))).toContain(
      "delimiter must be one ASCII character",
    );
    expect(messageOf(() => Stream.fromCsv("a", { quote: "\n" }))).toContain("quote must be");
    expect(messageOf(() => Stream.fromParquet(""))).toContain("needs the path");
    expect(messageOf(() => Stream.fromParquet([]))).toContain("needs the path");
    expect(messageOf(() => Stream.fromParquet("a", { schema: { a: "int63" } }))).toContain('Did you mean "int64"');
    expect(messageOf(() => Stream.generate(-1))).toContain("Cannot generate -1 rows");
    expect(messageOf(() => Stream.generate(1).toParquet("x", { codec: "zip" as never }))).toContain("Codecs: zstd");
  });

  test("rows give their schema: numbers float64, bigints int64, Dates timestamps, missing values null", () => {
    const stream = Stream.fromRows([
      { a: 1, b: 2n, at: new Date(5), tags: ["x"], s: { t: true } },
      { a: 2.5, b: null, at: new Date(6), tags: [] },
    ] as readonly Record<string, unknown>[]);
    const root = planOf(stream as Stream).roots[0];
    expect(root && explainPlan({ name: "t", roots: [root] })).toBe(
      "#1 scan rows 2 rows [a float64 not null, b int64, at timestamp[ms] not null, tags list<utf8> not null, s struct<t: bool>]",
    );
    expect(optionsOf(stream as Stream)?.options["rows"]).toEqual([
      [1, 2n, 5n, ["x"], { t: true }],
      [2.5, null, 6n, [], null],
    ]);
    structuredClone(optionsOf(stream as Stream));
  });

  test("rows that do not fit one schema are refused with row and column", () => {
    const rows = (...r: object[]) => messageOf(() => Stream.fromRows(r));
    expect(rows({ a: 1 }, { a: "x" })).toContain('Row 1 of fromRows: column "a" is utf8, in rows before it is float64');
    expect(rows({ a: () => 1 })).toContain("holds a function that is no cell");
    expect(rows()).toContain("no rows to infer");
    expect(messageOf(() => Stream.fromRows([{ a: 1, b: 1 } as never], { a: "int64" }))).toContain('has "b"');
    expect(messageOf(() => Stream.fromRows([1 as never]))).toContain("rows are objects");
  });
});

describe("dataflows", () => {
  const build = () => {
    const base = Stream.generate(10).map((row) => ({ a: row.index }), { a: "int64" });
    return base.filterRows((row) => row.a !== null).union(base.flatMap((row) => [row, row], { a: "int64" }));
  };

  test("users' functions are found again by operator id in another run of the builder", () => {
    const [first, second] = [dataflow("x", build).plan, dataflow("x", build).plan];
    expect([...userFunctionsOf(first).keys()]).toEqual([2, 3, 4]);
    expect([...userFunctionsOf(second).keys()]).toEqual([2, 3, 4]);
    const bound = bind(first, schemaOf);
    expect(bound.operators?.map((o) => o.name)).toEqual(["source", "map", "filterRows", "flatMap", "union"]);
    structuredClone(bound);
  });

  test("what is no dataflow is refused with what to do", () => {
    expect(messageOf(() => dataflow("", build))).toContain("needs a name");
    expect(messageOf(() => dataflow("x", (() => undefined) as never).plan)).toContain("must return a stream, a sink");
    expect(messageOf(() => dataflow("x", (async () => build()) as never).plan)).toContain("await at the top");
    expect(messageOf(() => dataflow("x", () => []).plan)).toContain("empty array");
    expect(isDataflow(dataflow("x", build))).toBe(true);
    expect(isDataflow({ name: "x" })).toBe(false);
  });

  test("wrong arguments of operators are refused where they are written", () => {
    const s = Stream.generate(1);
    expect(messageOf(() => s.filter(true as never))).toContain(
      "filter needs a column name, an expression or a callback",
    );
    expect(messageOf(() => s.filter((() => 1) as never))).toContain("its callback returned 1");
    expect(messageOf(() => s.orderBy({ index: "down" as never }))).toContain('must be "asc" or "desc"');
    expect(messageOf(() => planOf(s.limit(-1) as Stream))).toContain("its count must be a whole number");
    expect(messageOf(() => s.join(s, { how: "outer" as never }))).toContain("Kinds: inner, left");
    expect(messageOf(() => planOf(s.join(s, {}) as Stream))).toContain("a join needs a condition");
    expect(messageOf(() => s.map(1 as never, { a: "int64" }))).toContain("map needs a function");
    expect(messageOf(() => s.groupBy())).toContain("needs at least one key");
  });

  test("streams are immutable", () => {
    const s = Stream.generate(1);
    const filtered = s.filter(col("index").gt(0));
    expect(filtered).not.toBe(s);
    expect(Object.isFrozen(filtered.node)).toBe(true);
  });

  test("a callback, a name and col() say the same", () => {
    const plans = [
      Stream.generate(5)
        .groupBy("index")
        .aggregate({ n: sum("index"), m: count() }),
      Stream.generate(5)
        .groupBy(col("index"))
        .aggregate({ n: sum(col("index")), m: count() }),
      Stream.generate(5)
        .groupBy((c) => c.index)
        .aggregate({ n: (c) => c.index.sum(), m: count() }),
      Stream.generate(5)
        .groupBy({ index: (c) => c.index })
        .aggregate({ n: sum((c) => c.index), m: count() }),
    ].map((s) => explainPlan(planOf(s as Stream)));
    expect(new Set(plans).size).toBe(1);
  });

  test("a string beside an expression is a text, never a column", () => {
    const stream = Stream.generate(1).select({ x: lit("index").concat("index") });
    expect(explainPlan(planOf(stream as Stream))).toContain("x: concat('index', 'index')");
  });
});
