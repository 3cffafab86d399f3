import { describe, expect, test } from "vitest";
import { optimise } from "../../src/plan/mod.ts";
import { avg, col, count, first, lit, Stream, sum, when } from "../../src/stream/mod.ts";
import { optimised, planOf, table } from "./planning.ts";

const flights = table({ date: "timestamp[us]", delay: "int64", distance: "int64", origin: "utf8" }, "flights.parquet");
const airports = table({ iata: "utf8", city: "utf8", latitude: "float64" }, "airports.csv");

describe("optimise", () => {
  test("a source reads the columns that are needed and knows what the filters want", () => {
    const stream = flights
      .filter(col("distance").gt(500).and(col("delay").isNotNull()))
      .groupBy("origin")
      .aggregate({ flights: count(), delay: avg("delay") })
      .orderBy({ flights: "desc" })
      .limit(20);
    expect(optimised(stream)).toMatchInlineSnapshot(`
      "
      #4 top flights desc limit 20
      └─ #3 aggregate flights: count(*), delay: avg(delay) by origin
         └─ #2 filter (distance > 500) and (delay is not null)
            └─ #1 scan parquet "flights.parquet" [delay int64, distance int64, origin utf8] where (distance > 500) and (delay is not null)
      "
    `);
  });

  test("conditions go to the side of a join they speak of, equalities become keys", () => {
    const stream = flights
      .join(airports, { how: "cross" })
      .filter((c) => c.origin.eq(c.iata).and(c.latitude.gt(40)).and(c.distance.lt(100)))
      .select("city", "delay");
    expect(optimised(stream, { "flights.parquet": 3_000_000, "airports.csv": 3000 })).toMatchInlineSnapshot(`
      "
      #5 project city, delay
      └─ #3 join inner on origin = iata (build right)
         ├─ #4 project delay, origin
         │  └─ #4 filter distance < 100
         │     └─ #1 scan parquet "flights.parquet" [delay int64, distance int64, origin utf8] where distance < 100
         └─ #4 project iata, city
            └─ #4 filter latitude > 40
               └─ #2 scan parquet "airports.csv" [iata utf8, city utf8, latitude float64] where latitude > 40
      "
    `);
  });

  test("nothing is pushed to the side of an outer join that nulls fill up", () => {
    const stream = flights
      .join(airports, { on: { origin: "iata" }, how: "left" })
      .filter((c) => c.latitude.isNull().and(c.delay.gt(0)));
    expect(optimised(stream)).toMatchInlineSnapshot(`
      "
      #4 filter latitude is null
      └─ #3 join left on origin = iata (build right)
         ├─ #4 filter delay > 0
         │  └─ #1 scan parquet "flights.parquet" [date timestamp[us], delay int64, distance int64, origin utf8] where delay > 0
         └─ #2 scan parquet "airports.csv" [iata utf8, city utf8, latitude float64]
      "
    `);
  });

  test("a condition that can fail stays where only the rows it was written for reach it", () => {
    const stream = flights
      .join(airports, { on: { origin: "iata" } })
      .filter((c) => c.distance.ne(0).and(c.delay.div(c.distance).gt(1)));
    expect(optimised(stream)).toMatchInlineSnapshot(`
      "
      #4 filter (delay / distance) > 1
      └─ #3 join inner on origin = iata (build right)
         ├─ #4 filter distance <> 0
         │  └─ #1 scan parquet "flights.parquet" [date timestamp[us], delay int64, distance int64, origin utf8] where distance <> 0
         └─ #2 scan parquet "airports.csv" [iata utf8, city utf8, latitude float64]
      "
    `);
  });

  test("two filters become one only where that evaluates nothing more", () => {
    const guarded = flights.filter((c) => c.distance.gt(0)).filter((c) => c.delay.mod(c.distance).eq(0));
    expect(optimised(guarded)).toMatchInlineSnapshot(`
      "
      #3 filter (delay % distance) = 0
      └─ #2 filter distance > 0
         └─ #1 scan parquet "flights.parquet" [date timestamp[us], delay int64, distance int64, origin utf8] where (distance > 0) and ((delay % distance) = 0)
      "
    `);
    const plain = flights.filter((c) => c.distance.gt(0)).filter((c) => c.delay.gt(0));
    expect(optimised(plain)).toMatchInlineSnapshot(`
      "
      #2 filter (distance > 0) and (delay > 0)
      └─ #1 scan parquet "flights.parquet" [date timestamp[us], delay int64, distance int64, origin utf8] where (distance > 0) and (delay > 0)
      "
    `);
  });

  test("the smaller side of a join is built, and sides keep only what is needed above", () => {
    const stream = airports
      .join(flights.filter(col("delay").gt(0)), { on: { iata: "origin" } })
      .select("city", "distance");
    expect(optimised(stream, { "flights.parquet": 3_000_000, "airports.csv": 3000 })).toMatchInlineSnapshot(`
      "
      #5 project city, distance
      └─ #4 join inner on iata = origin (build left)
         ├─ #1 scan parquet "airports.csv" [iata utf8, city utf8]
         └─ #3 project distance, origin
            └─ #3 filter delay > 0
               └─ #2 scan parquet "flights.parquet" [delay int64, distance int64, origin utf8] where delay > 0
      "
    `);
  });

  test("a limit reaches the source through projections and unions", () => {
    const stream = flights
      .select("delay")
      .union(flights.select("delay"))
      .limit(10, 5)
      .withColumns({ x: col("delay").add(1) });
    expect(optimised(stream)).toMatchInlineSnapshot(`
      "
      #6 project delay, x: delay + 1
      └─ #5 limit 10 offset 5
         └─ #4 union of 2
            ├─ #5 limit 15
            │  └─ #1 scan parquet "flights.parquet" [delay int64] limit 15
            └─ #5 limit 15
               └─ #1 scan parquet "flights.parquet" [delay int64] limit 15
      "
    `);
  });

  test("a limit stays above filters and joins", () => {
    expect(optimised(flights.filter(col("delay").gt(1)).limit(3))).toMatchInlineSnapshot(`
      "
      #3 limit 3
      └─ #2 filter delay > 1
         └─ #1 scan parquet "flights.parquet" [date timestamp[us], delay int64, distance int64, origin utf8] where delay > 1
      "
    `);
  });

  test("a filter stays above a limit, a top and a user's function", () => {
    expect(optimised(flights.limit(3).filter(col("delay").gt(1)))).toMatchInlineSnapshot(`
      "
      #3 filter delay > 1
      └─ #2 limit 3
         └─ #1 scan parquet "flights.parquet" [date timestamp[us], delay int64, distance int64, origin utf8] limit 3
      "
    `);
    expect(
      optimised(flights.orderBy("delay").limit(3).filter(col("delay").gt(1)).select("delay")),
    ).toMatchInlineSnapshot(`
      "
      #4 filter delay > 1
      └─ #2 top delay limit 3
         └─ #1 scan parquet "flights.parquet" [delay int64]
      "
    `);
    const mapped = flights.map((row) => ({ a: row.delay }), { a: "int64" }).filter(col("a").gt(1));
    expect(optimised(mapped as Stream)).toMatchInlineSnapshot(`
      "
      #3 filter a > 1
      └─ #2 map by a function
         └─ #1 scan parquet "flights.parquet" [date timestamp[us], delay int64, distance int64, origin utf8]
      "
    `);
  });

  test("a filter on keys goes below the aggregation, one on aggregates stays", () => {
    const stream = flights
      .groupBy("origin")
      .aggregate({ n: count(), s: sum("delay") })
      .filter((c) => c.origin.eq("SEA").and(c.n.gt(1)));
    expect(optimised(stream as Stream)).toMatchInlineSnapshot(`
      "
      #3 filter n > 1
      └─ #2 aggregate n: count(*), s: sum(delay) by origin
         └─ #3 filter origin = 'SEA'
            └─ #1 scan parquet "flights.parquet" [delay int64, origin utf8] where origin = 'SEA'
      "
    `);
  });

  test("constants are folded, but not what would fail", () => {
    const stream = flights.select({
      a: lit(2).mul(3).add(1),
      b: lit(1).div(0),
      c: when(lit(1).gt(2)).then(col("delay")).otherwise(col("distance")),
      d: col("delay").gt(1).not(),
      e: lit("a").eq("b").or(col("delay").eq(1)),
      f: lit(9223372036854775807n).add(1),
    });
    expect(optimised(stream as Stream)).toMatchInlineSnapshot(`
      "
      #2 project a: 7, b: 1 / 0, c: distance, d: delay <= 1, e: delay = 1, f: 9223372036854775807 + 1
      └─ #1 scan parquet "flights.parquet" [delay int64, distance int64]
      "
    `);
  });

  test("dates and times written as text become constants", () => {
    const stream = flights.select({
      a: lit("1994-01-01").cast("date32"),
      b: lit("1994-01-01 12:00").cast("timestamp[us]"),
      c: lit("1994-13-01").cast("date32"),
      d: lit("12").cast("int64"),
    });
    expect(optimised(stream as Stream)).toMatchInlineSnapshot(`
      "
      #2 project a: '1994-01-01', b: '1994-01-01 12:00:00', c: cast('1994-13-01' as date32), d: cast('12' as int64)
      └─ #1 scan parquet "flights.parquet" [date timestamp[us]]
      "
    `);
  });

  test("a filter that is always true goes, one that never is takes no rows", () => {
    expect(optimised(flights.filter(lit(1).eq(1)).select("delay"))).toMatchInlineSnapshot(`
      "
      #1 scan parquet "flights.parquet" [delay int64]
      "
    `);
    expect(optimised(flights.filter(col("delay").eq(null)).select("delay"))).toMatchInlineSnapshot(`
      "
      #2 limit 0
      └─ #1 scan parquet "flights.parquet" [delay int64] limit 0
      "
    `);
  });

  test("counting rows reads the narrowest column", () => {
    expect(optimised(airports.aggregate({ n: count() }) as Stream)).toMatchInlineSnapshot(`
      "
      #2 aggregate n: count(*)  ~1 rows
      └─ #1 scan parquet "airports.csv" [latitude float64]
      "
    `);
  });

  test("a sort that nobody sees goes, one that first sees stays", () => {
    expect(optimised(flights.orderBy("date").aggregate({ n: sum("delay") }) as Stream)).toMatchInlineSnapshot(`
      "
      #3 aggregate n: sum(delay)  ~1 rows
      └─ #1 scan parquet "flights.parquet" [delay int64]
      "
    `);
    expect(optimised(flights.orderBy("date").aggregate({ n: first("delay") }) as Stream)).toMatchInlineSnapshot(`
      "
      #3 aggregate n: first(delay)  ~1 rows
      └─ #2 sort date
         └─ #1 scan parquet "flights.parquet" [date timestamp[us], delay int64]
      "
    `);
  });

  test("a distinct over groups goes", () => {
    const stream = flights.groupBy("origin").aggregate({ n: count() }).distinct();
    expect(optimised(stream as Stream)).toMatchInlineSnapshot(`
      "
      #2 aggregate n: count(*) by origin
      └─ #1 scan parquet "flights.parquet" [origin utf8]
      "
    `);
  });

  test("a source that is used twice is read twice, each time as needed", () => {
    const stream = flights.filter(col("delay").lt(9)).select("delay").union(flights.select("delay"));
    expect(optimised(stream as Stream)).toMatchInlineSnapshot(`
      "
      #5 union of 2
      ├─ #2 filter delay < 9
      │  └─ #1 scan parquet "flights.parquet" [delay int64] where delay < 9
      └─ #1 scan parquet "flights.parquet" [delay int64]
      "
    `);
  });

  test("a stream that is used twice stays one", () => {
    const base = flights.filter(col("delay").gt(0)).select("origin", "delay");
    const stream = base.filter(col("delay").lt(9)).union(base.filter(col("delay").gt(99)));
    expect(optimised(stream as Stream)).toMatchInlineSnapshot(`
      "
      #6 union of 2
      ├─ #4 filter delay < 9
      │  └─ #3 project origin, delay (shared)
      │     └─ #2 filter delay > 0
      │        └─ #1 scan parquet "flights.parquet" [delay int64, origin utf8] where delay > 0
      └─ #5 filter delay > 99
         └─ #3 project origin, delay (shared), see above
      "
    `);
  });

  test("an expression that doubles at each step does not explode", () => {
    let stream: Stream = table({ a: "float64" });
    for (let i = 0; i < 40; i++) stream = stream.select(col("a").add(col("a")).alias("a"));
    const started = performance.now();
    optimise(planOf(stream.filter(col("a").gt(1))));
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
