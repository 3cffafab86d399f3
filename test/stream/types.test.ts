import { expect, expectTypeOf, test } from "vitest";
import { avg, col, count, type Expr, lit, max, Stream, sum } from "../../mod.ts";

// What TypeScript says about rows and columns. The file is checked by the type check; running it only proves that the
// descriptions can be built.

type RowOfStream<S> = S extends Stream<infer R> ? R : never;

const flights = Stream.fromCsv("flights.csv", {
  schema: { date: "timestamp[us]", delay: "int32", distance: "int64 not null", origin: "utf8 not null" },
});
const airports = Stream.fromParquet("airports.parquet", {
  schema: { iata: "utf8 not null", name: "utf8", delay: "float64" },
});
const open = Stream.fromParquet("anything.parquet");

test("a declared schema gives the row its JavaScript types", () => {
  expectTypeOf<RowOfStream<typeof flights>>().toEqualTypeOf<{
    date: bigint | null;
    delay: number | null;
    distance: bigint;
    origin: string;
  }>();
});

test("a column that does not exist is a type error in every form", () => {
  // @ts-expect-error: as a name
  flights.select("nope");
  // @ts-expect-error: in an expression
  flights.filter(col("nope").gt(1));
  const deep = col("delay")
    .gt(1)
    .and(lit(1).lt(col("nope")));
  // @ts-expect-error: deep in an expression
  flights.filter(deep);
  // @ts-expect-error: in a callback
  flights.filter((c) => c.nope.gt(1));
  // @ts-expect-error: destructured
  flights.filter(({ nope }) => nope.gt(1));
  // @ts-expect-error: as a key
  flights.groupBy("nope");
  // @ts-expect-error: in an aggregate
  flights.groupBy("origin").aggregate({ delay: avg("nope") });
  // @ts-expect-error: to order by
  flights.orderBy({ nope: "desc" });
  // @ts-expect-error: to drop
  flights.drop("nope");
  // @ts-expect-error: to rename
  flights.rename({ nope: "a" });
  // @ts-expect-error: to join on
  flights.join(airports, { on: { nope: "iata" } });
  // @ts-expect-error: of the other side
  flights.join(airports, { on: { origin: "nope" } });
  // @ts-expect-error: in a row function
  flights.map((row) => ({ a: row.nope }), { a: "int64" });
  // @ts-expect-error: that was dropped before
  flights.drop("delay").filter((c) => c.delay.gt(1));
  expect(open).toBeInstanceOf(Stream);
});

test("an undeclared schema takes any column", () => {
  open
    .filter((c) => c.whatever.gt(1).and(col("other").isNull()))
    .groupBy("a", "b")
    .aggregate({ n: count() })
    .orderBy({ n: "desc" });
  // @ts-expect-error: after aggregating the columns are known
  open.groupBy("a").aggregate({ n: count() }).orderBy("b");
  expect(open).toBeInstanceOf(Stream);
});

test("columns' types flow through operators", () => {
  const selected = flights.select(
    "delay",
    (c) => c.origin.alias("from"),
    (c) => c.distance.add(1n).alias("more"),
  );
  expectTypeOf<RowOfStream<typeof selected>>().toEqualTypeOf<{ delay: number | null; from: string; more: bigint }>();

  const named = flights.select({ late: (c) => c.delay.gt(15), from: "origin" });
  expectTypeOf<RowOfStream<typeof named>>().toEqualTypeOf<{ late: boolean | null; from: string }>();

  const added = flights.withColumns({ delay: (c) => c.delay.cast("float64"), year: (c) => c.date.year() });
  expectTypeOf<RowOfStream<typeof added>>().toEqualTypeOf<{
    date: bigint | null;
    distance: bigint;
    origin: string;
    delay: number | null;
    year: bigint | null;
  }>();

  const grouped = flights.groupBy("origin").aggregate({
    n: count(),
    mean: avg("delay"),
    far: (c) => c.distance.max(),
    total: sum(col("distance")),
  });
  expectTypeOf<RowOfStream<typeof grouped>>().toMatchTypeOf<{
    origin: string;
    n: bigint;
    mean: number | null;
    far: bigint | null;
  }>();

  const mapped = flights.map((row) => ({ km: Number(row.distance) * 1.6 }), { km: "float64 not null" });
  expectTypeOf<RowOfStream<typeof mapped>>().toEqualTypeOf<{ km: number }>();
});

test("a join's row has the columns of both sides", () => {
  const inner = flights.join(airports, { on: { origin: "iata" } });
  expectTypeOf<RowOfStream<typeof inner>>().toEqualTypeOf<{
    date: bigint | null;
    delay: number | null;
    distance: bigint;
    origin: string;
    iata: string;
    name: string | null;
    delay_right: number | null;
  }>();
  const left = flights
    .select("origin")
    .join(airports.rename({ iata: "origin" }), { on: "origin", how: "left", suffix: "2" });
  expectTypeOf<RowOfStream<typeof left>>().toEqualTypeOf<{
    origin: string;
    name: string | null;
    delay: number | null;
  }>();
  const semi = flights.select("origin").join(airports, { on: { origin: "iata" }, how: "semi" });
  expectTypeOf<RowOfStream<typeof semi>>().toEqualTypeOf<{ origin: string }>();
  flights.join(airports, { how: "inner", where: (l, r) => l.origin.eq(r.iata) });
  // @ts-expect-error: the right side has no distance
  flights.join(airports, { how: "inner", where: (l, r) => l.origin.eq(r.distance) });
});

test("rows of a program give the schema", () => {
  const rows = Stream.fromRows([{ a: 1, b: "x", at: new Date(0) }]);
  expectTypeOf<RowOfStream<typeof rows>>().toEqualTypeOf<{ a: number; b: string; at: bigint }>();
  const made = Stream.generate({ rows: 3, columns: { id: { kind: "sequence" }, x: { kind: "random", nulls: 0.1 } } });
  expectTypeOf<RowOfStream<typeof made>>().toEqualTypeOf<{ id: bigint; x: number | null }>();
  // @ts-expect-error: the schema has no b
  expect(() => Stream.fromRows([{ a: 1, b: 2 }], { a: "int64" })).toThrow("which the schema has not");
  // @ts-expect-error: a is a number
  flights.map(() => ({ a: "text" }), { a: "int64" });
});

test("values of expressions have types", () => {
  expectTypeOf(max("a")).toMatchTypeOf<Expr>();
  expectTypeOf<RowOfStream<ReturnType<typeof flights.distinct>>>().toEqualTypeOf<RowOfStream<typeof flights>>();
});
