/** Takes its time without a processor: each split of 262,144 rows waits. Two stages, whose rows are known beforehand. */
import { count, dataflow, param, Stream, sum } from "sage";

const SPLIT_ROWS = 1 << 18;
const params = { splits: param.int({ default: 24 }), waitMs: param.int({ default: 1_000 }) };
const wait = new Int32Array(new SharedArrayBuffer(4));

export default dataflow("slow", { params }, ({ splits, waitMs }) =>
  Stream.generate({
    rows: splits * SPLIT_ROWS,
    seed: 3,
    columns: { id: { kind: "sequence" }, key: { kind: "random", min: 0, max: 99, type: "int32" } },
  })
    .mapBatches(
      (batch) => {
        Atomics.wait(wait, 0, 0, (waitMs * batch.numRows) / SPLIT_ROWS);
        return batch;
      },
      { id: "int64", key: "int32" },
    )
    .groupBy("key")
    .aggregate({ rows: count(), total: sum("id") })
    .orderBy("key"),
);
