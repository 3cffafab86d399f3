/** The 20 busiest routes of more than 500 miles. */
import { avg, col, count, dataflow, Stream } from "sage";

export default dataflow("busiest_routes", () =>
  Stream.fromParquet("node_modules/vega-datasets/data/flights-*.parquet")
    .filter(col("distance").gt(500).and(col("delay").isNotNull()))
    .groupBy("origin", "destination")
    .aggregate({ flights: count(), delay: avg("delay") })
    .orderBy({ flights: "desc" })
    .limit(20),
);
