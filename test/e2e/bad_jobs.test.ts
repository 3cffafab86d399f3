import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { col, count, dataflow, lit, max, Stream, sum } from "../../mod.ts";
import { exitCodeOf } from "../../src/cli/failure.ts";
import { type BundledJob, bundleJob, createEngine, type Engine } from "../../src/platform/mod.ts";
import type { Dataflow } from "../../src/stream/mod.ts";
import { jobPath, rowTexts, runFlow } from "./engines.ts";

const directory = mkdtempSync(join(tmpdir(), "sage-jobs-"));
const at = (name: string) => join(directory, name);

afterAll(() => rmSync(directory, { recursive: true }));

async function failureOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("the job did not fail");
}

describe("functions of the user", () => {
  let bundle: BundledJob;
  let engine: Engine;
  let flow: Dataflow;

  beforeAll(async () => {
    bundle = await bundleJob(jobPath("wrong_functions.ts"));
    flow = (await bundle.load()) as Dataflow;
    engine = await createEngine({ workers: 2, bundleUrl: bundle.url });
  });

  afterAll(async () => {
    await engine.close();
    bundle.dispose();
  });

  const messages: readonly (readonly [string, RegExp])[] = [
    ["throws a string", /^filterRows #2 failed at row 0: just text$/],
    ["throws undefined", /^filterRows #4 failed at row 0: the function threw undefined$/],
    ["filters by a text", /^filterRows #6 failed at row 0: .* must return a boolean, but returned "yes"/],
    ["filters by a promise", /^filterRows #8 .* but returned a promise: functions cannot be async/],
    ["maps to a promise", /^map #10 .* returned a promise: functions cannot be async. Declared: a int32$/],
    ["maps to nothing", /^map #12 .* must return an object, but returned undefined/],
    ["maps to an array", /^map #14 .* must return an object, but returned \[1,2\]/],
    ["gives a text for a number", /^map #16 failed at row 5: .* expected int32, got five \(string\)/],
    ["gives a number out of range", /^map #18 failed at row 5: .* expected int32, got 2147483648/],
    ["gives null for what is not null", /^map #20 failed at row 0: .* expected int32 not null, got null/],
    ["names a column wrongly", /^map #22 .* must return a column "a", but returned \{"b":1\}/],
    ["gives an object that contains itself", /^map #24 failed at row 0: Column "a"/],
    ["gives one object for many", /^flatMap #26 .* must return an iterable of objects, but returned \{"a":1\}/],
    ["gives a number among objects", /^flatMap #28 .* must return an object, but returned 7/],
    ["gives a text for columns", /^mapBatches #30 .* must return an object of columns/],
    ["gives columns of different lengths", /^mapBatches #32 .* a has 2 rows, b has 1/],
    ["leaves a column out", /^mapBatches #34 .* column a is missing/],
    ["gives a text in a column of numbers", /^mapBatches #36 .* expected int32, got two \(string\)/],
  ];

  test.each(messages.map(([what, message], index) => ({ what, message, index })))(
    "one that $what is named with its row",
    async ({ message, index }) => {
      await using run = await engine.run(flow.plan);
      const root = run.roots[index];
      const error = await failureOf(rowTexts(engine, root as NonNullable<typeof root>));
      expect(error.message).toMatch(message);
      expect(exitCodeOf(error)).toBe(1);
    },
  );
});

test("an engine whose worker was ended runs the next job with new ones", async () => {
  const job = `import { dataflow, Stream } from "sage";
    export default dataflow("exit", () => [
      Stream.generate(9).filterRows((row) => (row.index === 5n ? process.exit(3) : true)),
      Stream.generate(9).filterRows((row) => row.index < 5n),
    ]);`;
  writeFileSync(at("exit.ts"), job);
  const bundle = await bundleJob(at("exit.ts"));
  const { plan } = (await bundle.load()) as Dataflow;
  await using engine = await createEngine({ workers: 2, bundleUrl: bundle.url });
  for (const index of [0, 1, 0, 1]) {
    await using run = await engine.run(plan);
    const rows = rowTexts(engine, run.roots[index] as NonNullable<(typeof run.roots)[number]>);
    if (index === 0) await expect(rows).rejects.toMatchObject({ code: "workerLost" });
    else expect(await rows).toHaveLength(5);
  }
  bundle.dispose();
  rmSync(at("exit.ts"));
});

describe("jobs that cannot be carried out", () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await createEngine({ workers: 2 });
    mkdirSync(at("sub"));
    writeFileSync(at("file.txt"), "old");
  });

  afterAll(() => engine.close());

  const big = 9_000_000_000_000_000_000n;
  const failing: readonly (readonly [string, () => { node: Stream["node"] }, number, RegExp])[] = [
    [
      "integer overflow",
      () => Stream.generate(9).select(col("index").add(big).add(big).alias("x")),
      1,
      /^select #2: Integer overflow in .*index \+ .*, row 0/,
    ],
    [
      "division by zero",
      () => Stream.generate(9).filter(lit(5n).mod(col("index").sub(7)).gt(0)),
      1,
      /^filter #2: Division by zero in \(5 % \(index - 7\)\), row 7/,
    ],
    [
      "a cast of a text that is no number",
      () => Stream.fromRows([{ a: "12" }, { a: "1x" }]).select(col("a").cast("int32").alias("b")),
      1,
      /^select #2: Cast failed in cast\(a as int32\), row 1/,
    ],
    [
      "a sum that overflows",
      () =>
        Stream.generate(9)
          .select(col("index").add(big).alias("x"))
          .aggregate({ s: sum("x") }),
      1,
      /^aggregate #3: Integer overflow in sum "s"/,
    ],
    [
      "an unknown column",
      () => new Stream(Stream.generate(9).node).filter(col("indx").gt(1)),
      2,
      /indx.*Did you mean "index"/,
    ],
    ["operands that do not fit", () => Stream.generate(9).filter(col("index").add("a").gt(1)), 2, /index \+/],
    ["a condition that is a number", () => Stream.generate(9).filter(col("index")), 2, /filter\(index\)/],
    ["an aggregate among rows", () => Stream.generate(9).select(sum("index").alias("x")), 2, /select/],
    ["a sink in place of a directory", () => Stream.generate(9).toArrow(at("sub")), 1, /sub: it is a directory/],
    ["a sink below a file", () => Stream.generate(9).toJson(at("file.txt/out")), 1, /Cannot write .*file\.txt\/out/],
    [
      "a sink for a type that it cannot hold",
      () => Stream.fromRows([{ a: [1, 2] }]).toCsv(at("out.csv")),
      1,
      /"a" as CSV.*list/,
    ],
  ];

  test.each(failing)("%s is one clear error", async (_what, stream, exitCode, message) => {
    const error = await failureOf(runFlow(engine, dataflow("job", stream)));
    expect(error.message).toMatch(message);
    expect(exitCodeOf(error)).toBe(exitCode);
    expect(engine.arena.bytesInUse()).toBe(0);
    expect(readdirSync(directory).sort()).toEqual(["file.txt", "sub"]);
  });
});

describe("a job that needs more memory than it may use", () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await createEngine({ workers: 2, memoryBytes: 12_000_000 });
  });

  afterAll(() => engine.close());

  const texts = (rows: number) => Stream.generate({ rows, columns: { a: { kind: "text", length: 20 } } });
  const many = Stream.generate(1_000_000);
  const hungry: readonly (readonly [string, () => { node: Stream["node"] }, RegExp])[] = [
    ["groups", () => many.groupBy("index").aggregate({ n: count() }), /aggregate #2/],
    [
      "texts of groups",
      () =>
        texts(900_000)
          .groupBy("a")
          .aggregate({ n: count(), m: max("a") }),
      /aggregate #2/,
    ],
    ["distinct rows", () => texts(900_000).distinct(), /distinct #2/],
    [
      "a join",
      () =>
        many.join(Stream.generate(1_000_000).rename({ index: "i" }), { on: { index: "i" } }).aggregate({ n: count() }),
      /join #4/,
    ],
    ["a sort", () => texts(900_000).orderBy("a"), /orderBy #2|source #1/],
    ["a sort that is written", () => texts(900_000).orderBy("a").toCsv(at("sorted.csv")), /orderBy #2|source #1/],
  ];

  test.each(hungry)("%s: the message has operator, need and limit; all is freed", async (_what, stream, operator) => {
    const error = await failureOf(runFlow(engine, dataflow("job", stream)));
    expect(error.message).toMatch(operator);
    expect(error.message).toMatch(/^\w+ #\d+: not enough memory: [\d.]+ k?M?B more are needed, but of the 12\.0 MB/);
    expect(error).toMatchObject({ code: "memoryLimit" });
    expect(engine.arena.bytesInUse()).toBe(0);
    const small = dataflow("small", () => Stream.generate(1_000).groupBy("index").aggregate({ n: count() }));
    expect(await runFlow(engine, small)).toHaveLength(1_000);
    expect(readdirSync(directory)).not.toContain("sorted.csv");
  });
});
