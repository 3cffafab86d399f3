import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { directoryWith, sage } from "./sage.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

function job(body: string, imports = "col, dataflow, Stream"): Record<string, string> {
  return { "job.ts": `import { ${imports} } from "sage";\n${body}\n` };
}

const threeRows = job('export default dataflow("three", () => Stream.generate(3));');
/** Runs for minutes unless it is stopped. */
const endless = job(
  'export default dataflow("long", () => Stream.generate(100_000_000_000).filter(col("index").lt(0)));',
);

test("rows go to stdout, the summary to stderr", async () => {
  const ended = await sage(["run", "job.ts"], { cwd: directoryWith(threeRows) });
  expect(ended).toEqual({
    code: 0,
    stdout: "index\nint64\n─────\n    0\n    1\n    2\n(3 rows)\n",
    stderr: expect.stringMatching(/^Read 3 rows in [\d.]+ m?s \([\d,]+ rows\/s\)\.\n$/),
  });
});

test("--quiet leaves stderr empty, --format chooses the text", async () => {
  const cwd = directoryWith(threeRows);
  const [json, csv] = await Promise.all([
    sage(["run", "job.ts", "--quiet", "--format", "json"], { cwd }),
    sage(["run", "--format=csv", "--quiet", "job.ts", "--workers", "1"], { cwd }),
  ]);
  expect(json).toEqual({ code: 0, stdout: '{"index":0}\n{"index":1}\n{"index":2}\n', stderr: "" });
  expect(csv).toEqual({ code: 0, stdout: "index\n0\n1\n2\n", stderr: "" });
});

test("--output writes the file whole and says so; its ending gives the format", async () => {
  const cwd = directoryWith({ ...threeRows, "rows.csv": "old" });
  const ended = await sage(["run", "job.ts", "--output", "rows.csv"], { cwd });
  expect(ended).toMatchObject({ code: 0, stdout: "" });
  expect(ended.stderr).toContain("Wrote rows.csv: 3 rows, 12 B.");
  expect(readFileSync(join(cwd, "rows.csv"), "utf8")).toBe("index\n0\n1\n2\n");
  expect(readdirSync(cwd).sort()).toEqual(["job.ts", "rows.csv"]);
});

test("--output makes the directories that are missing, and says so where it cannot", async () => {
  const cwd = directoryWith(threeRows);
  expect(await sage(["run", "job.ts", "--output", "new/deep/rows.csv"], { cwd })).toMatchObject({ code: 0 });
  expect(readFileSync(join(cwd, "new/deep/rows.csv"), "utf8")).toContain("\n");
  const blocked = await sage(["run", "job.ts", "--output", "job.ts/rows.csv"], { cwd });
  expect(blocked).toMatchObject({ code: 2, stderr: expect.stringContaining("Cannot write --output job.ts/rows.csv") });
});

test("what the job logs goes to stderr, so that rows stay clean", async () => {
  const cwd = directoryWith(
    job('console.log("loading", { a: 1 });\nexport default dataflow("x", () => Stream.generate(1));'),
  );
  const ended = await sage(["run", "job.ts", "--format", "json"], { cwd });
  expect(ended.stdout).toBe('{"index":0}\n');
  expect(ended.stderr).toContain("loading { a: 1 }\n");
});

test("a reader that stops early, such as head, is no failure", () => {
  const cwd = directoryWith(job('export default dataflow("many", () => Stream.generate(3_000_000));'));
  const command =
    `${join(root, "node_modules/.bin/bun")} ${join(root, "cli.ts")} run job.ts --format csv --quiet | head -2; echo "$` +
    '{PIPESTATUS[0]}"';
  const { stdout, stderr } = spawnSync("bash", ["-c", command], { cwd });
  expect({ stdout: stdout.toString(), stderr: stderr.toString() }).toEqual({ stdout: "index\n0\n0\n", stderr: "" });
});

test("a full disk is one clear error", () => {
  const command = `${join(root, "node_modules/.bin/bun")} ${join(root, "cli.ts")} run job.ts --format csv > /dev/full`;
  const { status, stderr } = spawnSync("bash", ["-c", command], { cwd: directoryWith(threeRows) });
  expect(stderr.toString()).toBe("error: Cannot write the rows to stdout: no space left on the device.\n");
  expect(status).toBe(1);
});

test("Ctrl-C stops the job, leaves no file and ends with 130", async () => {
  const cwd = directoryWith({ "job.ts": `console.error("started");\n${endless["job.ts"]}` });
  const ended = await sage(["run", "job.ts", "--output", "rows.csv"], {
    cwd,
    onStarted: (child) => setTimeout(() => child.kill("SIGINT"), 1_500),
  });
  expect(ended.code).toBe(130);
  expect(readdirSync(cwd)).toEqual(["job.ts"]);
});

test("--timeout ends a job that takes too long, with exit code 1", async () => {
  const ended = await sage(["run", "job.ts", "--timeout", "500ms"], { cwd: directoryWith(endless) });
  expect(ended).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("longer than 500 ms") });
});

test("--timeout ends a join of all pairs, whether its rows are written or only counted", async () => {
  const pairs = 'Stream.generate(400_000).join(Stream.generate(400_000).rename({ index: "other" }), { how: "cross" })';
  for (const rest of ["", ".aggregate({ pairs: count() })"]) {
    const cwd = directoryWith(job(`export default dataflow("x", () => ${pairs}${rest});`, "count, dataflow, Stream"));
    const ended = await sage(
      ["run", "job.ts", "--timeout", "1s", "--memory", "200MB", "--format", "csv", "--output", "rows.csv"],
      { cwd },
    );
    expect(ended).toMatchObject({ code: 1, stderr: expect.stringContaining("longer than 1000 ms") });
    expect(readdirSync(cwd)).toEqual(["job.ts"]);
  }
});

const wrongJobs: readonly (readonly [string, Record<string, string>, number, readonly (string | RegExp)[]])[] = [
  [
    "an unknown column",
    job('export default dataflow("x", () => Stream.generate(3).filter(col("indx").gt(1)));'),
    2,
    ["indx", 'Did you mean "index"?'],
  ],
  [
    "a builder that throws",
    job('export default dataflow("x", () => {\n  throw new RangeError("no luck");\n});'),
    2,
    ["RangeError: no luck", /job\.ts:3:\d+/, '3 |   throw new RangeError("no luck");'],
  ],
  [
    "a default export that is no dataflow",
    { "job.ts": "export default { a: 1 };" },
    2,
    ["an object of class Object, not a dataflow"],
  ],
  ["a dataflow that was not exported", job('dataflow("x", () => Stream.generate(3));'), 2, ["no default export"]],
  ["a syntax error", { "job.ts": "const a = 1;\nconst = 2;\n" }, 2, [/job\.ts:2:\d+/, "2 | const = 2;"]],
  [
    "a user function that throws",
    job(
      'export default dataflow("x", () =>\n  Stream.generate(3).map((row) => {\n    if (row.index === 2n) throw new Error("bad row");\n    return { a: 1 };\n  }, { a: "float64" }),\n);',
    ),
    1,
    ["bad row", /job\.ts:4:\d+/, '4 |     if (row.index === 2n) throw new Error("bad row");'],
  ],
  [
    "an input file that is not there",
    job('export default dataflow("x", () => Stream.fromCsv("nowhere.csv"));'),
    1,
    ["nowhere.csv"],
  ],
];

test.each(wrongJobs)("%s is told in one message, on stderr", async (_what, files, code, parts) => {
  const ended = await sage(["run", "job.ts"], { cwd: directoryWith(files) });
  for (const part of parts) expect(ended.stderr).toMatch(part);
  expect(ended).toMatchObject({ code, stdout: "" });
  expect(ended.stderr).toMatch(/^error: /);
  expect(ended.stderr).not.toMatch(/fault in SAGE|\n\s+at /);
});

test("a job with several results prints each as a table, and no other format", async () => {
  const cwd = directoryWith(job('export default dataflow("two", () => [Stream.generate(1), Stream.generate(2)]);'));
  expect((await sage(["run", "job.ts", "--quiet"], { cwd })).stdout).toContain("(1 row)\nindex\n");
  expect(await sage(["run", "job.ts", "--format", "csv"], { cwd })).toMatchObject({
    code: 2,
    stdout: "",
    stderr: expect.stringContaining("The job has 2 results"),
  });
});

test("explain prints plans and, when asked, WebAssembly", async () => {
  const cwd = directoryWith(job('export default dataflow("x", () => Stream.generate(9).filter(col("index").gt(5)));'));
  const [plain, wasm] = await Promise.all([
    sage(["explain", "job.ts"], { cwd }),
    sage(["explain", "job.ts", "--wasm"], { cwd }),
  ]);
  expect(plain).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("index") });
  expect(wasm).toMatchObject({ code: 0, stdout: expect.stringContaining("(func") });
});

test("the same job gives the same rows on Deno", async () => {
  const ended = await sage(["run", "job.ts", "--format", "json", "--quiet"], {
    cwd: directoryWith(threeRows),
    runtime: "deno",
  });
  expect(ended).toEqual({ code: 0, stdout: '{"index":0}\n{"index":1}\n{"index":2}\n', stderr: "" });
});

test("Arrow in a pipe is a stream that other programs read", () => {
  const cwd = directoryWith(threeRows);
  const command = [join(root, "node_modules/.bin/bun"), join(root, "cli.ts"), "run", "job.ts", "--format", "arrow"];
  const bytes = execFileSync(command[0] ?? "", command.slice(1), { cwd, stdio: ["ignore", "pipe", "ignore"] });
  expect([...bytes.subarray(0, 4)]).toEqual([0xff, 0xff, 0xff, 0xff]);
});

test("what a user's function gives is printed, under the columns it declares", async () => {
  const cwd = directoryWith(
    job(
      'export default dataflow("x", () =>\n  Stream.generate(3).map((row) => ({ double: Number(row.index) * 2 }), { double: "int32" }),\n);',
    ),
  );
  const ended = await sage(["run", "job.ts", "--format", "csv", "--quiet"], { cwd });
  expect(ended).toEqual({ code: 0, stdout: "double\n0\n2\n4\n", stderr: "" });
});

test.each([
  ["at the top of its file", "for (;;);"],
  ["in its builder", 'export default dataflow("x", () => { for (;;); });'],
])("--timeout ends a job that loops for ever %s", async (_where, body) => {
  const ended = await sage(["run", "job.ts", "--timeout", "400ms"], { cwd: directoryWith(job(body)) });
  expect(ended.stderr).toBe("error: The job was still being loaded after 400 ms. Allow more with --timeout\n");
  expect(ended.code).not.toBe(0);
});
