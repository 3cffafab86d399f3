/** A large join on int64, and one row about it. */
import { col, count, dataflow, param, Stream, sum } from "sage";

const params = { facts: param.text(), orders: param.text() };

export default dataflow("join", { params }, ({ facts, orders }) =>
  Stream.fromParquet(facts, { schema: { many: "int32", orderkey: "int64", amount: "int64" } })
    .join(
      Stream.fromParquet(orders, { schema: { key: "int64", factor: "int64" } }).select({
        orderkey: "key",
        factor: "factor",
      }),
      {
        on: "orderkey",
      },
    )
    .aggregate({ rows: count(), total: sum(col("amount").mul(col("factor"))) }),
);
