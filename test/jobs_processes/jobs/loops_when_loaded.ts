/** Well-behaved where it is submitted; in an executor's thread it never comes to an end. */
import { isMainThread } from "node:worker_threads";
import { dataflow, Stream } from "sage";

if (!isMainThread) for (;;);

export default dataflow("loops_when_loaded", () =>
  Stream.generate(10).map((row) => ({ index: row.index }), { index: "int64" }),
);
