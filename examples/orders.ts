/** Rows of a program, joined: needs no files. */
import { coalesce, col, count, dataflow, Stream, sum } from "sage";

export default dataflow("orders", () => {
  const customers = Stream.fromRows([
    { customer: 1n, name: "Ada" },
    { customer: 2n, name: "Grace" },
    { customer: 3n, name: "Edsger" },
  ]);
  const orders = Stream.fromRows(
    [
      { customer: 1, price: "19.90" },
      { customer: 1, price: "5.10" },
      { customer: 2, price: "250.00" },
    ],
    { customer: "int64 not null", price: "decimal(12, 2) not null" },
  );
  return customers
    .join(orders, { on: "customer", how: "left" })
    .groupBy("name")
    .aggregate({ orders: count("price"), total: sum("price") })
    .withColumns({ total: coalesce(col("total"), 0) })
    .orderBy({ total: "desc" });
});
