/** Jobs of unusual shapes: many sinks, one key with half of the rows, no rows, many small files, many stages. */
import { col, count, dataflow, max, param, Stream, sum, when } from "sage";

const KINDS = ["twoSinks", "sinkAndRows", "state", "skew", "empty", "oneRow", "files", "stages", "long"] as const;

const params = {
  kind: param.oneOf(KINDS),
  rows: param.int({ default: 40_000 }),
  /** Of `files`: CSV files with the columns id and value. */
  input: param.text({ default: "out/in/*.csv" }),
  /** What names of written files begin with. */
  out: param.text({ default: "out/mix" }),
  stages: param.int({ default: 60 }),
};

function numbers(rows: number) {
  return Stream.generate({
    rows,
    seed: 3,
    columns: {
      id: { kind: "sequence" },
      key: { kind: "random", min: 0, max: 999, type: "int64" },
      value: { kind: "random", min: -1_000, max: 1_000, type: "int64" },
    },
  });
}

function skewed(rows: number) {
  const facts = numbers(rows).withColumns({ key: when(col("id").mod(2).eq(0)).then(7).otherwise(col("key")) });
  const names = numbers(2_000).select(col("key").alias("name_key"), col("value").alias("weight"));
  return facts
    .join(names, { on: { key: "name_key" }, how: "left" })
    .groupBy("key")
    .aggregate({ rows: count(), total: sum("value"), heaviest: max("weight") })
    .orderBy("key");
}

/** Each function keeps what it has computed. */
function remembered(rows: number) {
  const known = new Map<bigint, bigint>();
  return numbers(rows)
    .map(
      (row) => {
        const key = row.key ?? 0n;
        const found = known.get(key) ?? (key * key) % 97n;
        known.set(key, found);
        return { key: found, value: row.value };
      },
      { key: "int64", value: "int64" },
    )
    .groupBy("key")
    .aggregate({ rows: count(), total: sum("value") })
    .orderBy("key");
}

function staged(rows: number, stages: number) {
  let stream = numbers(rows).select("key", "value") as Stream<{ key: bigint | null; value: bigint | null }>;
  for (let stage = 0; stage < stages; stage++) {
    stream = stream
      .withColumns({ key: col("key").mul(7).add(stage).mod(1_009) })
      .groupBy("key")
      .aggregate({ value: sum("value") }) as typeof stream;
  }
  return stream.orderBy("key");
}

/** Takes its time, and gives rows all the while. */
function slow(rows: number) {
  return numbers(rows).map(
    (row) => {
      let value = Number(row.value);
      for (let round = 0; round < 2_000; round++) value = (value * 31 + round) % 1_000_003;
      return { id: row.id, value };
    },
    { id: "int64", value: "int64" },
  );
}

export default dataflow("mix", { params }, ({ kind, rows, input, out, stages }) => {
  const grouped = () =>
    numbers(rows)
      .groupBy("key")
      .aggregate({ rows: count(), total: sum("value") })
      .orderBy("key");
  switch (kind) {
    case "twoSinks":
      return [numbers(rows).filter(col("value").gt(0)).toCsv(`${out}.csv`), grouped().toJson(`${out}.jsonl`)];
    case "sinkAndRows":
      return [grouped(), numbers(rows).filter(col("key").lt(100)).toParquet(`${out}.parquet`)];
    case "state":
      return remembered(rows);
    case "skew":
      return skewed(rows);
    case "empty":
      return numbers(rows).filter(col("value").gt(5_000)).groupBy("key").aggregate({ rows: count() }).orderBy("key");
    case "oneRow":
      return numbers(1)
        .groupBy("key")
        .aggregate({ rows: count(), total: sum("value") });
    case "files":
      return Stream.fromCsv(input, { schema: { id: "int64", value: "int64" } })
        .withColumns({ key: col("id").mod(100) })
        .groupBy("key")
        .aggregate({ rows: count(), total: sum("value") })
        .orderBy("key");
    case "stages":
      return staged(rows, stages);
    case "long":
      return slow(rows);
  }
});
