/** All rows in another order, into a file: nothing is made smaller on the way. */
import { dataflow, param, Stream } from "sage";

const params = { rows: param.int({ default: 600_000 }), out: param.text({ default: "out/sort.jsonl" }) };

export default dataflow("sort", { params }, ({ rows, out }) =>
  Stream.generate({
    rows,
    seed: 11,
    columns: {
      id: { kind: "sequence" },
      value: { kind: "random", min: -1_000_000, max: 1_000_000, type: "int64" },
      word: { kind: "text", length: [5, 20] },
    },
  })
    .orderBy("value", "id")
    .toJson(out),
);
