/** Rows that cost little to make and to take, 28 bytes each, shared out by a hash of an int64 between. */
import { count, dataflow, param, Stream, sum } from "sage";

const params = { rows: param.int({ default: 500_000 }), times: param.int({ default: 40 }) };

export default dataflow("exchange", { params }, ({ rows, times }) => {
  const base = Stream.generate({
    rows,
    seed: 5,
    columns: {
      key: { kind: "random", min: 0, max: 1_000_000_000, type: "int64" },
      time: { kind: "sequence" },
      price: { kind: "random", min: 0, max: 1, type: "float64" },
      items: { kind: "random", min: 0, max: 1_023, type: "int32" },
    },
  });
  const copies = Stream.generate({ rows: times, seed: 6, columns: { copy: { kind: "sequence" } } });
  const none = Stream.generate({
    rows: 1,
    seed: 7,
    columns: { other: { kind: "constant", value: -1, type: "int64" } },
  });
  return base
    .join(copies, { how: "cross" })
    .select("key", "time", "price", "items")
    .join(none, { on: { key: "other" }, how: "full" })
    .aggregate({ rows: count(), keys: sum("key"), times: sum("time"), prices: sum("price"), items: sum("items") });
});
