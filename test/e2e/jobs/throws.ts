/** Every user function here fails for some row. */
import { dataflow, Stream } from "sage";

const rows = () => Stream.generate(1_000);

export default dataflow("throws", () => [
  rows().map(
    ({ index }) => {
      if (index === 250n) throw new Error("out of luck");
      return { a: `text ${index}` };
    },
    { a: "utf8" },
  ),
  rows().flatMap(
    function* ({ index }) {
      yield { a: Number(index) };
      if (index === 250n) throw new Error("out of luck");
    },
    { a: "float64" },
  ),
  rows().filterRows(({ index }) => {
    if (index === 250n) throw new Error("out of luck");
    return index % 2n === 0n;
  }),
  rows().mapBatches(
    () => {
      throw new Error("out of luck");
    },
    { a: "float64" },
  ),
]);
