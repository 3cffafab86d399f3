import { describe, expect, test } from "vitest";
import { typeName } from "../../src/arrow/mod.ts";
import { printExpression } from "../../src/plan/mod.ts";
import { type AnyExpr, coalesce, col, concat, count, lit, type SchemaInput, sum, when } from "../../src/stream/mod.ts";
import { messageOf, planOf, table, typed } from "./planning.ts";

const ALL: SchemaInput = {
  i8: "int8",
  i32: "int32",
  i64: "int64",
  u8: "uint8",
  u32: "uint32",
  u64: "uint64",
  f32: "float32",
  f64: "float64",
  d: "decimal(12, 2)",
  s: "utf8",
  t: "bool",
  day: "date32",
  at: "timestamp[us]",
  zoned: "timestamp[us, Europe/Berlin]",
  wait: "duration[s]",
  n: "int32 not null",
  list: "list<int64>",
  nested: "struct<a: int32, b: utf8 not null>",
};

const show = (e: AnyExpr): string => {
  const bound = typed(ALL, e);
  return `${printExpression(bound)} : ${typeName(bound.type)}${bound.nullable ? "" : " not null"}`;
};

describe("types of expressions", () => {
  test.each([
    ["integers widen to the wider", col("i8").add(col("i32")), "cast(i8 as int32) + i32 : int32"],
    [
      "signed and unsigned meet in the next signed",
      col("i8").add(col("u32")),
      "cast(i8 as int64) + cast(u32 as int64) : int64",
    ],
    [
      "int64 and uint64 meet in a decimal",
      col("i64").lt(col("u64")),
      "cast(i64 as decimal(20, 0)) < cast(u64 as decimal(20, 0)) : bool",
    ],
    ["an integer literal takes the other's type", col("i8").add(1), "i8 + 1 : int8"],
    ["an integer literal that does not fit is int64", col("i8").add(1000), "cast(i8 as int64) + 1000 : int64"],
    ["a fraction makes integers floats", col("i32").gt(1.5), "cast(i32 as float64) > 1.5 : bool"],
    ["a literal that float32 holds stays there", col("f32").mul(0.5), "f32 * 0.5 : float32"],
    ["a literal that float32 cannot hold widens", col("f32").gt(0.1), "cast(f32 as float64) > 0.1 : bool"],
    [
      "sums of decimals have a digit more",
      col("d").add(col("d")),
      "cast(d as decimal(13, 2)) + cast(d as decimal(13, 2)) : decimal(13, 2)",
    ],
    ["products of decimals add their digits", col("d").mul(col("d")), "d * d : decimal(24, 4)"],
    ["one minus a discount is exact", lit(1).sub(col("d")), "1.00 - cast(d as decimal(13, 2)) : decimal(13, 2)"],
    ["quotients of decimals are floats", col("d").div(2), "d / 2.00 : float64"],
    [
      "a decimal is compared with a fraction exactly",
      col("d").between(0.05, 0.07),
      "(d >= 0.05) and (d <= 0.07) : bool",
    ],
    ["integers divide to integers", col("i64").div(2), "i64 / 2 : int64"],
    ["text is read as a date beside a date", col("day").ge("2020-02-29"), "day >= '2020-02-29' : bool"],
    ["text is read as a timestamp", col("at").lt("2020-01-01 10:30"), "at < '2020-01-01 10:30:00' : bool"],
    [
      "a date meets a time of day as timestamp",
      col("day").lt("2020-01-01T10:30"),
      "cast(day as timestamp[s]) < '2020-01-01 10:30:00' : bool",
    ],
    [
      "text in a zone waits for the runtime",
      col("zoned").lt("2020-01-01"),
      "zoned < cast('2020-01-01' as timestamp[us, Europe/Berlin]) : bool",
    ],
    ["a Date is an instant", col("zoned").lt(new Date(0)), "zoned < '1970-01-01 00:00:00Z' : bool"],
    ["null takes any type", col("i32").eq(null), "i32 = null : bool"],
    ["not null stays not null", col("n").add(1), "n + 1 : int32 not null"],
    ["tests for null are never null", col("s").isNull(), "s is null : bool not null"],
    ["coalesce with a value is never null", col("s").coalesce("none"), "coalesce(s, 'none') : utf8 not null"],
    ["a case without otherwise may be null", when(col("t")).then(1), "case when t then 1 end : int64"],
    [
      "cases meet in a common type",
      when(col("t")).then(col("i8")).otherwise(col("f64")),
      "case when t then cast(i8 as float64) else f64 end : float64",
    ],
    ["lists of literals are looked up", col("i32").isIn([1, 2]), "i32 in (1, 2) : bool"],
    ["lists of expressions are compared", col("i32").isIn([col("n"), 2]), "(i32 = n) or (i32 = 2) : bool"],
    ["a negated unsigned is signed", col("u8").neg(), "-cast(u8 as int16) : int16"],
    [
      "rounding a decimal has room for a digit",
      col("d").round(1),
      "round(cast(d as decimal(13, 2)), 1) : decimal(13, 2)",
    ],
    ["rounding an integer does nothing", col("i32").round(), "i32 : int32"],
    ["length is int64", col("s").length(), "length(s) : int64"],
    [
      "a duration is compared with a number that is cast to one",
      col("wait").gt(lit(90).cast("duration[s]")),
      "wait > cast(90 as duration[s]) : bool",
    ],
    ["a duration is a number of its unit", col("wait").cast("int64"), "cast(wait as int64) : int64"],
    [
      "hours added to a date make a timestamp",
      col("day").dateAdd(1, "hour"),
      "dateAdd(hour, cast(day as timestamp[us]), 1) : timestamp[us]",
    ],
    ["days added to a date keep it", col("day").dateAdd(1, "month"), "dateAdd(month, day, 1) : date32"],
    [
      "differences of dates are int64",
      col("day").dateDiff("2020-01-01", "day"),
      "dateDiff(day, day, '2020-01-01') : int64",
    ],
    ["a field of a struct", col("nested").field("b"), "nested.b : utf8"],
    [
      "nullIf keeps the first type",
      col("i8").nullIf(1000),
      "case when cast(i8 as int64) = 1000 then null else i8 end : int8",
    ],
  ])("%s", (_, expression, text) => {
    expect(show(expression)).toBe(text);
  });
});

describe("what cannot be", () => {
  const fails = (e: AnyExpr) => messageOf(() => typed(ALL, e));

  test("an unknown column shows expression, operator and columns, with the nearest name", () => {
    const small = table({ distance: "int64", delay: "int64" });
    expect(messageOf(() => planOf(small.filter(col("distanse").gt(500))))).toBe(
      'unknownColumn: Unknown column distanse in filter(distanse > 500). Did you mean "distance"? Columns: distance, delay.',
    );
  });

  test.each([
    [
      "text plus number",
      col("s").add(1),
      "type: Cannot use s + 1 in select(s + 1 as x): add needs numbers, but s is utf8, 1 is int64.",
    ],
    ["text compared with number", col("s").eq(1), "cannot be compared"],
    ["a number as condition", when(col("i32")).then(1), "a condition must be bool, but i32 is int32"],
    ["text that is no date", col("day").eq("soon"), "cannot be compared"],
    ["a zoned and a local timestamp", col("at").lt(col("zoned")), "cannot be compared"],
    ["a pattern that is a column", col("s").like(col("s") as never), "the pattern of like must be a string literal"],
    ["a broken regular expression", col("s").regexMatch("("), "no regular expression"],
    ["an aggregate in a row", sum("i32"), "aggregate: "],
    ["a list compared", col("list").eq(col("list")), "lists and structs cannot be compared"],
    ["a cast that nothing can do", col("t").cast("date32"), "which cannot become date32"],
    ["a missing field", col("nested").field("c"), 'the struct has no field "c"'],
    ["concat of numbers", concat(col("s"), col("i32")), 'Use .cast("utf8")'],
    ["coalesce of different types", coalesce(col("s"), col("i32")), "no common type"],
    ["an invalid Date", col("at").eq(new Date("x")), "invalid Date"],
  ])("%s is refused", (_, expression, part) => {
    expect(fails(expression)).toContain(part);
  });

  test("two columns of one name are refused", () => {
    expect(messageOf(() => planOf(table({ a: "int64" }).select("a", col("a").add(1).alias("a"))))).toContain(
      'duplicateColumn: Two columns of select(a, a + 1 as a) are named "a".',
    );
  });

  test("a row's column among aggregates is refused", () => {
    expect(
      messageOf(() =>
        planOf(
          table({ a: "int64", b: "int64" })
            .groupBy("a")
            .aggregate({ b: col("b") }),
        ),
      ),
    ).toContain("it is no aggregate");
  });

  test("more operators than ids are refused", () => {
    let stream = table({ a: "int64" });
    for (let i = 0; i < 1100; i++) stream = stream.filter(col("a").gt(i));
    expect(messageOf(() => planOf(stream))).toContain("it has 1101 operators, at most 1023");
  });
});

describe("columns of operators", () => {
  const columns = (stream: ReturnType<typeof table>) =>
    planOf(stream).roots[0]?.schema.fields.map((f) => `${f.name} ${typeName(f.type)}${f.nullable ? "" : " not null"}`);
  const left = table({ k: "int64 not null", a: "int32 not null" }, "l.parquet");
  const right = table({ k: "int32", a: "utf8 not null", z: "bool not null" }, "r.parquet");

  test("a join by name keeps one key and gives clashing names a suffix", () => {
    expect(columns(left.join(right, { on: "k" }))).toEqual([
      "k int64 not null",
      "a int32 not null",
      "a_right utf8 not null",
      "z bool not null",
    ]);
  });

  test("a left join makes the right side nullable", () => {
    expect(columns(left.join(right, { on: "k", how: "left", suffix: "2" }))).toEqual([
      "k int64 not null",
      "a int32 not null",
      "a2 utf8",
      "z bool",
    ]);
  });

  test("a full join takes the key from either side", () => {
    expect(columns(left.join(right, { on: "k", how: "full" }))).toEqual([
      "k int64",
      "a int32",
      "a_right utf8",
      "z bool",
    ]);
  });

  test("a semi join has the left columns, whatever the right ones are named", () => {
    expect(columns(left.join(right, { on: "k", how: "semi" }))).toEqual(["k int64 not null", "a int32 not null"]);
  });

  test("keys of different names are both kept", () => {
    expect(columns(left.join(right.drop("a"), { on: { a: "k" } }))).toEqual([
      "k int64 not null",
      "a int32 not null",
      "k_right int32",
      "z bool not null",
    ]);
  });

  test("a suffix that clashes is refused", () => {
    const other = table({ k: "int64", a: "int64", a_right: "int64" }, "o.parquet");
    expect(messageOf(() => planOf(left.join(other, { on: "k" })))).toContain("duplicateColumn");
  });

  test("a bare name of both sides in a join's condition is ambiguous", () => {
    expect(messageOf(() => planOf(left.join(right, { on: "k", where: col("a").eq(1) })))).toContain(
      "Ambiguous column a",
    );
    expect(columns(left.join(right, { on: "k", where: (l, r) => l.a.gt(r.k) }))).toHaveLength(4);
  });

  test("aggregates may stand in expressions", () => {
    const stream = right.groupBy("z").aggregate({ mean: sum("k").div(count()), rows: count(), total: sum("k") });
    expect(columns(stream)).toEqual(["z bool not null", "mean int64", "rows int64 not null", "total int64"]);
  });

  test("aggregates of no keys may be null", () => {
    expect(columns(left.aggregate({ s: sum("a"), n: count() }))).toEqual(["s int64", "n int64 not null"]);
  });

  test("distinct by some columns keeps all columns in their order", () => {
    expect(columns(right.distinct("z"))).toEqual(["k int32", "a utf8 not null", "z bool not null"]);
  });

  test("union matches columns by name and finds common types", () => {
    const swapped = table({ a: "int64", k: "int32" }, "s.parquet");
    expect(columns(left.union(swapped))).toEqual(["k int64", "a int64"]);
    expect(messageOf(() => planOf(left.union(table({ k: "int64" }))))).toContain('has no column "a"');
  });

  test("withColumns replaces in place and adds at the end", () => {
    const stream = left.withColumns({ k: col("k").cast("utf8"), b: "a" });
    expect(columns(stream)).toEqual(["k utf8 not null", "a int32 not null", "b int32 not null"]);
  });

  test("unnest gives the items", () => {
    const lists = table({ id: "int64", items: "list<utf8>" });
    expect(columns(lists.unnest("items", { outer: true }))).toEqual(["id int64", "items utf8"]);
  });
});
