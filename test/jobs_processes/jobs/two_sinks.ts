/** Two files, each by a task of its own. */
import { col, dataflow, Stream } from "sage";

export default dataflow("two sinks", () => [
  Stream.generate(20_000).filter(col("index").lt(15_000)).toCsv("out/one.csv"),
  Stream.generate(20_000).orderBy({ index: "desc" }).toCsv("out/two.csv"),
]);
