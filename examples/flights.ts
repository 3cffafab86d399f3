/**
 * Which routes between big airports are late most? 3 million flights (Parquet) joined twice with the airports (CSV):
 * prints the 20 latest routes as a table and writes all of them to a Parquet file.
 */
import { avg, col, count, dataflow, quantile, Stream, when } from "sage";

const DATA = "node_modules/vega-datasets/data";

const airports = Stream.fromCsv(`${DATA}/airports.csv`, {
  schema: {
    iata: "utf8",
    name: "utf8",
    city: "utf8",
    state: "utf8",
    country: "utf8",
    latitude: "float64",
    longitude: "float64",
  },
});

/** The airport's columns that matter here, named after the end of the route. */
const end = (code: string, city: string) =>
  airports.select(col("iata").alias(code), col("city").concat(" (", col("iata"), ")").alias(city));

export default dataflow("flights", () => {
  const routes = Stream.fromParquet(`${DATA}/flights-3m.parquet`, {
    schema: { date: "timestamp[us]", delay: "int64", distance: "int64", origin: "utf8", destination: "utf8" },
  })
    .filter((c) => c.distance.gt(500).and(c.delay.isNotNull()))
    .groupBy("origin", "destination")
    .aggregate({
      flights: count(),
      distance: (c) => c.distance.max(),
      mean_delay_min: avg("delay"),
      median_delay_min: quantile("delay", 0.5),
      late_percent: avg(when(col("delay").gt(15)).then(100).otherwise(0)),
    })
    .filter((c) => c.flights.ge(1000))
    .join(end("origin", "from"), { on: "origin" })
    .join(end("destination", "to"), { on: "destination" })
    .select("from", "to", "flights", "distance", "mean_delay_min", "median_delay_min", "late_percent")
    .withColumns({
      mean_delay_min: (c) => c.mean_delay_min.round(1),
      late_percent: (c) => c.late_percent.round(1),
    })
    .orderBy({ late_percent: "desc", flights: "desc" });

  return [routes.limit(20), routes.toParquet("out/routes.parquet")];
});
