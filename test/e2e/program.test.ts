import { spawn } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { directoryWith } from "../cli/sage.ts";

/** Plain programs that use the library, in processes of their own: what they print, and that they end by themselves. */

/** Of a machine that does much else meanwhile. */
const MS_MAX = 180_000;
const root = join(import.meta.dirname, "../..");

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function runProgram(runtime: "bun" | "deno", body: string): Promise<Ended> {
  const text = `import { col, count, dataflow, lit, Stream, sum } from ${JSON.stringify(join(root, "mod.ts"))};\n${body}`;
  const cwd = directoryWith({ "program.ts": text });
  const args = runtime === "deno" ? ["run", "-A", "--no-check"] : [];
  const child = spawn(join(root, "node_modules/.bin", runtime), [...args, join(cwd, "program.ts")], {
    cwd,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 150_000,
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, stdout, stderr })));
}

/** Everything a program does with streams, a line of output each. */
const everything = `
const rows = await Stream.generate(5).filter(col("index").gt(2)).collect();
console.log("collect", rows);

const mapped = await Stream.generate(4).map((row) => ({ twice: Number(row.index) * 2 }), { twice: "int32" }).collect();
console.log("map", mapped.map((row) => row.twice).join());

let seen = 0;
for await (const row of Stream.generate(50_000_000)) {
  seen++;
  if (row.index === 99n) break;
}
console.log("break", seen);

const summary = await Stream.generate(1_000).toCsv("out.csv").run();
console.log("sink", summary.rowsRead, summary.rowsWritten);
const back = await Stream.fromCsv("out.csv").aggregate({ n: count(), s: sum("index") }).collect({ workers: 1 });
console.log("back", back);

const failures = {
  plan: () => new Stream(Stream.generate(3).node).filter(col("indx").gt(1)).collect(),
  run: () => Stream.generate(9).select(lit(1n).mod(col("index").sub(4)).alias("x")).collect(),
  map: () => Stream.generate(9).map(() => { throw new TypeError("no"); }, { a: "int32" }).collect(),
  memory: () => Stream.generate(3_000_000).groupBy("index").aggregate({ n: count() }).collect({ memoryBytes: 20e6 }),
  timeout: () => Stream.generate(1e12).filter(col("index").lt(0)).collect({ timeoutMs: 200 }),
  inline: () => Stream.generate(1e12).filter(col("index").lt(0)).collect({ timeoutMs: 200, workers: 0 }),
  signal: () => Stream.generate(1e12).filter(col("index").lt(0)).collect({ signal: AbortSignal.timeout(100) }),
  aborted: () => Stream.generate(1e12).filter(col("index").lt(0)).collect({ signal: AbortSignal.abort() }),
  file: () => Stream.fromParquet("no.parquet").collect(),
};
for (const [name, run] of Object.entries(failures)) {
  await run().then(() => console.log(name, "no error"), (error) => console.log(name, error.name, error.code));
}
`;

const wanted = [
  ["collect", /^collect \[/m],
  ["map", /^map 0,2,4,6$/m],
  ["break", /^break 100$/m],
  ["a sink", /^sink 1000 1000$/m],
  ["reading back", /n: 1000n[^]*s: 499500n/],
  ["an error of the plan", /^plan PlanError unknownColumn$/m],
  ["an error of the job", /^run ExecError divisionByZero$/m],
  ["an error of a function", /^map ExecError userFunction$/m],
  ["an error of memory", /^memory ExecError memoryLimit$/m],
  ["a time limit", /^timeout ExecError timeout$/m],
  ["a time limit without workers", /^inline ExecError timeout$/m],
  ["a signal", /^signal ExecError cancelled$/m],
  ["a signal from before", /^aborted ExecError cancelled$/m],
  ["a missing file", /^file ConnectorError notFound$/m],
] as const;

describe.each(["bun", "deno"] as const)("a program under %s", (runtime) => {
  test("collects, loops, writes, sees errors, and ends by itself", { timeout: MS_MAX }, async () => {
    const ended = await runProgram(runtime, everything);
    for (const [what, pattern] of wanted)
      expect({ what, text: ended.stdout }).toMatchObject({ text: expect.stringMatching(pattern) });
    expect(ended).toMatchObject({ code: 0, stderr: "" });
  });

  test("that does not handle an error ends with it, workers or not", async () => {
    const ended = await runProgram(
      runtime,
      'await Stream.generate(9).select(lit(1n).mod(col("index")).alias("x")).collect();',
    );
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain("select #2: Division by zero");
    expect(ended.stderr).not.toMatch(/SuppressedError|unhandled|InvariantError/i);
  });
});
