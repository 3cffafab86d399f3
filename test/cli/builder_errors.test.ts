import { expect, test } from "vitest";
import { directoryWith, type SageOptions, sage } from "./sage.ts";

/** Mistakes in a builder: each shows the line of the operator that is wrong, and what to do. */

const MS_MAX = 120_000;

/** The last operator of a builder, which ends by calling it; what is said, and the column where the operator is. */
const MISTAKES: readonly (readonly [string, RegExp, number?])[] = [
  [`.map((row) => row, { v: "text" })`, /"text" is no type\. Did you mean "utf8"\?/],
  [`.filter(col("nme").gt(1))`, /Unknown column nme in filter\(nme > 1\)\. Did you mean "name"\?/],
  [`.filter((c) => c.nme.gt(1))`, /Unknown column nme .*Did you mean "name"\?/],
  [`.join(other, { on: "id" })`, /id is float64 and id is utf8\. Cast one of them/],
  [`.groupBy("id").aggregate({ id: count() })`, /Two columns .* are named "id"\. Give one of them another name/, 20],
  [`.union(other)`, /has no column "name"\. Columns: id, extra/],
  [`.limit(-1)`, /its count must be a whole number from 0 on/],
  [`.map(5, { v: "int64" })`, /map needs a function/],
  [`.toCsv()`, /toCsv needs the path of a file/],
];

function jobWith(operator: string): string {
  return `import { col, count, dataflow, Stream } from "sage";
const rows = Stream.fromRows([{ id: 1, name: "x" }]);
const other = Stream.fromRows([{ id: "k", extra: 1 }]);
export default dataflow("mistake", () =>
  rows
    .limit(10)
    ${operator});
`;
}

for (const [operator, says, column = 6] of MISTAKES) {
  test(`${operator} is told with its line`, { timeout: MS_MAX }, async () => {
    // Neither above nor beside the job: paths of a bundle count from where the command runs.
    const cwd = directoryWith({ "deep/jobs/job.ts": jobWith(operator), "at/empty.txt": "" });
    const ended = await sage(["run", "../deep/jobs/job.ts"], { cwd: `${cwd}/at` });
    expect([ended.code, ended.stdout]).toEqual([2, ""]);
    expect(ended.stderr).toMatch(says);
    expect(ended.stderr).toContain(`\n  ${cwd}/deep/jobs/job.ts:7:${column}\n  7 |     ${operator});\n`);
  });
}

const ELSEWHERE: readonly SageOptions[] = [{}, { runtime: "deno" }];

test.each(ELSEWHERE)(
  "what a builder throws is shown in its file, wherever the command runs",
  {
    timeout: MS_MAX,
  },
  async (options) => {
    const cwd = directoryWith({
      "jobs/job.ts": `import { dataflow } from "sage";\nexport default dataflow("x", () => { throw new Error("not today"); });`,
    });
    for (const from of ["/", cwd]) {
      const ended = await sage(["run", `${cwd}/jobs/job.ts`], { ...options, cwd: from });
      expect([ended.code, ended.stdout]).toEqual([2, ""]);
      expect(ended.stderr).toMatch(/Error: not today/);
      expect(ended.stderr).toContain(`\n  ${cwd}/jobs/job.ts:2:`);
    }
  },
);

test("an operator that is fine is not changed by being read", { timeout: MS_MAX }, async () => {
  const cwd = directoryWith({
    "job.ts": `import { dataflow, Stream } from "sage";
      const { generate } = Stream;
      const first = Stream.prototype.limit;
      export default dataflow("x", () => first.call(generate.call(Stream, 5), 2));`,
  });
  const ended = await sage(["run", "job.ts", "--format", "csv", "--quiet"], { cwd });
  expect(ended).toEqual({ code: 0, stdout: "index\n0\n1\n", stderr: "" });
});
