/** A JavaScript function for each row: how far airports are from the North Pole. */
import { dataflow, Stream } from "sage";

const EARTH_RADIUS_KM = 6371;

export default dataflow("great_circle", () =>
  Stream.fromCsv("node_modules/vega-datasets/data/airports.csv", {
    schema: {
      iata: "utf8 not null",
      name: "utf8",
      city: "utf8",
      state: "utf8",
      country: "utf8",
      latitude: "float64 not null",
      longitude: "float64",
    },
  })
    .map((row) => ({ iata: row.iata, pole_km: ((90 - row.latitude) * Math.PI * EARTH_RADIUS_KM) / 180 }), {
      iata: "utf8 not null",
      pole_km: "float64 not null",
    })
    .orderBy("pole_km")
    .limit(10),
);
