/** User functions of every kind, in pipelines with and without generated code around them. */
import { col, count, dataflow, max, Stream, sum } from "sage";

const numbers = (rows: number) =>
  Stream.generate({
    rows,
    seed: 7,
    columns: {
      id: { kind: "sequence" },
      key: { kind: "random", min: 0, max: 40, type: "int32" },
      word: { kind: "text", length: [0, 6], nulls: 0.1 },
      value: { kind: "random", min: -1000, max: 1000, type: "int64", nulls: 0.05 },
    },
  });

export default dataflow("functions", () => [
  numbers(3_000).map(({ id, word }) => ({ id: id * 2n, text: word === null ? null : word.toUpperCase() }), {
    id: "int64 not null",
    text: "utf8",
  }),
  numbers(2_000).flatMap(({ id, key }) => Array.from({ length: key % 4 }, (_, item) => ({ id, item })), {
    id: "int64",
    item: "int32",
  }),
  numbers(3_000)
    .filter(col("key").gt(10))
    .filterRows((row) => row.id % 3n === 0n)
    .withColumns({ twice: col("key").mul(2) }),
  numbers(3_000)
    .mapBatches(
      (batch) => {
        const keys = batch.getChild("key")?.toArray() ?? [];
        return { key: Int32Array.from(keys as Int32Array, (key) => key + 1) };
      },
      { key: "int32 not null" },
    )
    .groupBy("key")
    .aggregate({ rows: count() }),
  numbers(4_000)
    .map(({ key, value }) => ({ key, half: value === null ? null : Number(value) / 2 }), {
      key: "int32",
      half: "float64",
    })
    .groupBy("key")
    .aggregate({ halves: sum("half"), most: max("half") }),
]);
