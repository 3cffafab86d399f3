/** CSV to JSON lines: Seattle's weather by month. */
import { count, dataflow, max, Stream, sum } from "sage";

export default dataflow("weather", () =>
  Stream.fromCsv("node_modules/vega-datasets/data/seattle-weather.csv", {
    schema: {
      date: "date32",
      precipitation: "float64",
      temp_max: "float64",
      temp_min: "float64",
      wind: "float64",
      weather: "utf8",
    },
  })
    .groupBy((c) => c.date.truncate("month").alias("month"))
    .aggregate({
      days: count(),
      rain_mm: sum("precipitation"),
      warmest: max("temp_max"),
      mean: (c) => c.temp_max.add(c.temp_min).div(2).avg(),
    })
    .orderBy("month")
    .toJson("out/weather.jsonl"),
);
