/** More rows for the client than pipes and sockets hold. */
import { dataflow, param, Stream } from "sage";

export default dataflow("many_rows", { params: { rows: param.int({ default: 1_500_000 }) } }, ({ rows }) =>
  Stream.generate({
    rows,
    seed: 3,
    columns: { id: { kind: "sequence" }, key: { kind: "random", min: 0, max: 50_000, type: "int64" } },
  }),
);
