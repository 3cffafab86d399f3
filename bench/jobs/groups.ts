/** A million groups, and one row about them. */
import { count, dataflow, param, Stream, sum } from "sage";

export default dataflow("groups", { params: { facts: param.text() } }, ({ facts }) =>
  Stream.fromParquet(facts, { schema: { many: "int32", orderkey: "int64", amount: "int64" } })
    .groupBy("many")
    .aggregate({ total: sum("amount"), rows: count() })
    .aggregate({ groups: count(), total: sum("total"), rows: sum("rows") }),
);
