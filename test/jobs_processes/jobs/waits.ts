/** A function that says each row, and waits until a file is there: tests decide when the job ends. */
import { existsSync } from "node:fs";
import { dataflow, param, Stream } from "sage";

const params = {
  rows: param.int({ default: 5 }),
  go: param.text({ default: "" }),
  fails: param.boolean({ default: false }),
};
const NAP_MS = 20;
const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));

export default dataflow("waits", { params }, ({ rows, go, fails }) =>
  Stream.generate(rows).map(
    (row) => {
      console.log(`row ${row.index} is here`);
      while (go !== "" && !existsSync(go)) Atomics.wait(nobodyWakes, 0, 0, NAP_MS);
      if (fails) throw new Error("no row is liked");
      return { index: row.index };
    },
    { index: "int64" },
  ),
);
