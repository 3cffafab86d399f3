/** The tables that other jobs here read, as Parquet. */
import { dataflow, param, Stream } from "sage";

const params = {
  kind: param.oneOf(["facts", "orders", "lineitem"]),
  rows: param.int(),
  out: param.text(),
};

export default dataflow("tables", { params }, ({ kind, rows, out }) => {
  switch (kind) {
    case "facts":
      return Stream.generate({
        rows,
        seed: 1,
        columns: {
          many: { kind: "random", min: 0, max: 999_999, type: "int32" },
          orderkey: { kind: "random", min: 0, max: 1_499_999, type: "int64" },
          amount: { kind: "random", min: 1, max: 100, type: "int64" },
        },
      }).toParquet(out);
    case "orders":
      return Stream.generate({
        rows,
        seed: 2,
        columns: { key: { kind: "sequence" }, factor: { kind: "random", min: 1, max: 100, type: "int64" } },
      }).toParquet(out);
    case "lineitem":
      return Stream.generate({
        rows,
        seed: 3,
        columns: {
          shipday: { kind: "random", min: 8_035, max: 10_560, type: "int32" },
          quantity: { kind: "random", min: 1, max: 50, type: "int32" },
          price: { kind: "random", min: 900, max: 104_900, type: "int32" },
          discount: { kind: "random", min: 0, max: 10, type: "int32" },
          tax: { kind: "random", min: 0, max: 8, type: "int32" },
          returnflag: { kind: "choice", values: ["A", "N", "R"] },
          linestatus: { kind: "choice", values: ["F", "O"] },
        },
      }).toParquet(out);
  }
});
