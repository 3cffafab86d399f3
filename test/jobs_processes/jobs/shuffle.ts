/** Rows with a function, grouped by a key with many values, in order: to the client and into a file. */
import { count, dataflow, max, param, Stream, sum } from "sage";

const params = { rows: param.int({ default: 1_000_000 }), out: param.text({ default: "out/shuffle.csv" }) };

export default dataflow("shuffle", { params }, ({ rows, out }) => {
  const groups = Stream.generate({
    rows,
    seed: 7,
    columns: {
      id: { kind: "sequence" },
      key: { kind: "random", min: 0, max: 50_000, type: "int64" },
      value: { kind: "random", min: -1_000, max: 1_000, type: "int64" },
    },
  })
    .map(
      (row) => {
        let value = Number(row.value);
        for (let round = 0; round < 200; round++) value = (value * 31 + round) % 1_000_003;
        return { id: row.id, key: row.key, value };
      },
      { id: "int64", key: "int64", value: "int64" },
    )
    .groupBy("key")
    .aggregate({ rows: count(), total: sum("value"), last: max("id") })
    .orderBy("key");
  return [groups, groups.toCsv(out)];
});
