/** The shape of TPC-H Q1. */
import { avg, col, count, dataflow, lit, param, Stream, sum } from "sage";

const schema = {
  shipday: "int32",
  quantity: "int32",
  price: "int32",
  discount: "int32",
  tax: "int32",
  returnflag: "utf8",
  linestatus: "utf8",
} as const;

export default dataflow("q1", { params: { lineitem: param.text() } }, ({ lineitem }) => {
  const discounted = col("price")
    .cast("int64")
    .mul(lit(100).sub(col("discount")));
  return Stream.fromParquet(lineitem, { schema })
    .filter(col("shipday").le(10_471))
    .groupBy("returnflag", "linestatus")
    .aggregate({
      quantities: sum("quantity"),
      prices: sum("price"),
      discounted: sum(discounted),
      charged: sum(discounted.mul(lit(100).add(col("tax")))),
      quantity: avg("quantity"),
      price: avg("price"),
      discount: avg("discount"),
      orders: count(),
    })
    .orderBy("returnflag", "linestatus");
});
