/** Functions of the user that do what they must not. */
import { dataflow, Stream } from "sage";

const rows = () => Stream.generate(100);
const circle: Record<string, unknown> = {};
circle["self"] = circle;

/** What TypeScript would refuse, as plain JavaScript jobs can have it. */
const wrong = (value: unknown) => value as never;

export default dataflow("wrong_functions", () => [
  rows().filterRows(() => {
    // oxlint-disable-next-line typescript/only-throw-error -- users do
    throw wrong("just text");
  }),
  rows().filterRows(() => {
    // oxlint-disable-next-line typescript/only-throw-error -- users do
    throw wrong(undefined);
  }),
  rows().filterRows(() => wrong("yes")),
  rows().filterRows(() => wrong(Promise.resolve(true))),
  rows().map(() => wrong(Promise.resolve({ a: 1 })), { a: "int32" }),
  rows().map(() => wrong(undefined), { a: "int32" }),
  rows().map(() => wrong([1, 2]), { a: "int32" }),
  rows().map((row) => ({ a: row.index === 5n ? wrong("five") : 1 }), { a: "int32" }),
  rows().map((row) => ({ a: row.index === 5n ? 2 ** 31 : 1 }), { a: "int32" }),
  rows().map(() => ({ a: wrong(null) }), { a: "int32 not null" }),
  rows().map(() => wrong({ b: 1 }), { a: "int32" }),
  rows().map(() => wrong({ a: circle }), { a: "int32" }),
  rows().flatMap(() => wrong({ a: 1 }), { a: "int32" }),
  rows().flatMap(() => [{ a: 1 }, wrong(7)], { a: "int32" }),
  rows().mapBatches(() => wrong("text"), { a: "int32" }),
  rows().mapBatches(() => ({ a: [1, 2], b: [1] }), { a: "int32", b: "int32" }),
  rows().mapBatches(() => wrong({ b: [1] }), { a: "int32" }),
  rows().mapBatches(() => ({ a: [1, wrong("two")] }), { a: "int32" }),
]);
