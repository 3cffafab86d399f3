import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { directoryWith, type Ended, sage } from "../cli/sage.ts";

/** `sage run` in a process of its own: how it ends, what it says, and what it leaves behind. */

const imports = 'import { col, count, dataflow, lit, Stream, sum } from "sage";\n';
const job = (body: string) => ({ "job.ts": `${imports}${body}\n` });
const flow = (stream: string) => job(`export default dataflow("job", () =>\n  ${stream}\n);`);

/** Rows for minutes, slow enough that no disk fills up. */
const SLOW_ROWS = `Stream.generate(100_000_000_000).filterRows((row) => {
    for (let i = 0; i < 2_000; i++) Math.sqrt(i);
    return true;
  })`;

function expectOneError(ended: Ended, code: number): void {
  expect(ended.stderr).toMatch(/^error: /);
  expect(ended.stderr).not.toMatch(/fault in SAGE|\n\s+at /);
  expect(ended.code).toBe(code);
}

test("a function that throws is named with its row and the line that threw", async () => {
  const body = `Stream.generate(100).map((row) => {
    const check = (index: bigint) => {
      if (index === 70n) throw new RangeError("no such thing");
    };
    check(row.index);
    return { a: 1 };
  }, { a: "int32" })`;
  const ended = await sage(["run", "job.ts"], { cwd: directoryWith(flow(body)) });
  expect(ended.stderr).toMatch(/^error: map #2 failed at row 70: RangeError: no such thing\n {2}.*job\.ts:5:\d+\n/);
  expect(ended.stderr).toContain("if (index === 70n) throw");
  expectOneError(ended, 1);
  expect(ended.stdout).toBe("");
});

test("a type error ends with exit code 2, before anything is written", async () => {
  const cwd = directoryWith(flow('Stream.generate(9).filter(col("index").add("a").gt(1)).toCsv("out.csv")'));
  expectOneError(await sage(["run", "job.ts"], { cwd }), 2);
  expect(readdirSync(cwd)).toEqual(["job.ts"]);
});

test("a function that loops for ever ends with --timeout", async () => {
  const cwd = directoryWith(
    flow(
      'Stream.generate(100).map((row) => { while (row.index === 50n); return { a: 1 }; }, { a: "int32" }).toCsv("out.csv")',
    ),
  );
  const startMs = performance.now();
  const ended = await sage(["run", "job.ts", "--timeout", "1s"], { cwd });
  expect(ended.stderr).toBe("error: The job ran longer than 1000 ms. Allow more with --timeout\n");
  expect(ended.code).toBe(1);
  expect(performance.now() - startMs).toBeLessThan(8_000);
  expect(readdirSync(cwd)).toEqual(["job.ts"]);
});

/** Waits until the job has begun to write. */
function whenWriting(cwd: string, then: () => void): void {
  const timer = setInterval(() => {
    if (!readdirSync(cwd).some((name) => name.endsWith(".tmp"))) return;
    clearInterval(timer);
    setTimeout(then, 300);
  }, 20);
  onTestFinished(() => clearInterval(timer));
}

test.each(["SIGINT", "SIGTERM"] as const)("%s while a file is written leaves no file", async (signal) => {
  const cwd = directoryWith({ ...flow(`${SLOW_ROWS}.toCsv("out.csv")`), "out.csv": "old" });
  writeFileSync(join(cwd, "job.ts"), `console.error("started");\n${readFileSync(join(cwd, "job.ts"), "utf8")}`);
  const ended = await sage(["run", "job.ts"], {
    cwd,
    onStarted: (child) => whenWriting(cwd, () => child.kill(signal)),
  });
  expect(ended.code).toBe(signal === "SIGINT" ? 130 : 143);
  expect(readdirSync(cwd).sort()).toEqual(["job.ts", "out.csv"]);
  expect(readFileSync(join(cwd, "out.csv"), "utf8")).toBe("old");
});

test("Ctrl-C ends a function that loops for ever, and leaves no file", async () => {
  const stream = 'Stream.generate(9).filterRows(() => { while (true); }).toCsv("out.csv")';
  const cwd = directoryWith(job(`console.error("started");\nexport default dataflow("job", () => ${stream});`));
  const startMs = performance.now();
  const ended = await sage(["run", "job.ts"], {
    cwd,
    onStarted: (child) => whenWriting(cwd, () => child.kill("SIGINT")),
  });
  expect(ended.code).toBe(130);
  expect(readdirSync(cwd)).toEqual(["job.ts"]);
  expect(performance.now() - startMs).toBeLessThan(10_000);
});

test("a second Ctrl-C ends the process at once, and leaves no file", async () => {
  const cwd = directoryWith({ ...flow(`${SLOW_ROWS}.toCsv("out.csv")`) });
  writeFileSync(join(cwd, "job.ts"), `console.error("started");\n${readFileSync(join(cwd, "job.ts"), "utf8")}`);
  const ended = await sage(["run", "job.ts"], {
    cwd,
    onStarted: (child) =>
      whenWriting(cwd, () => {
        child.kill("SIGINT");
        setTimeout(() => child.kill("SIGINT"), 30);
      }),
  });
  expect(ended.code).toBe(130);
  expect(readdirSync(cwd)).toEqual(["job.ts"]);
});

/** A file system of 1 MB; null where the test may not mount one. */
function smallDisk(cwd: string): string | null {
  const path = join(cwd, "disk");
  mkdirSync(path);
  const mounted = spawnSync("/usr/bin/env", ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path]).status === 0;
  if (!mounted) return null;
  onTestFinished(() => void spawnSync("/usr/bin/env", ["umount", "-l", path]));
  return path;
}

test("a disk that is full is one clear error, and no part of a file stays", async ({ skip }) => {
  const cwd = directoryWith({});
  const disk = smallDisk(cwd);
  if (disk === null) return skip("mounting is not allowed here");
  for (const sink of ["toCsv", "toJson", "toArrow", "toParquet"]) {
    const rows = "Stream.generate({ rows: 400_000, columns: { a: { kind: 'random' }, b: { kind: 'text' } } })";
    writeFileSync(
      join(cwd, "job.ts"),
      `${imports}export default dataflow("job", () => ${rows}.${sink}("disk/out"));\n`,
    );
    const ended = await sage(["run", "job.ts"], { cwd });
    expect(ended.stderr).toMatch(/^error: Cannot write disk\/out: .*(no space|ENOSPC)/i);
    expect(ended.code).toBe(1);
    expect(readdirSync(disk)).toEqual([]);
  }
  const printed = flow("Stream.generate(400_000)");
  writeFileSync(join(cwd, "job.ts"), printed["job.ts"]);
  const ended = await sage(["run", "job.ts", "--output", "disk/rows.csv"], { cwd });
  expect(ended).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error: Cannot write .*no space left/) });
  expect(readdirSync(disk)).toEqual([]);
});

test("--memory: a job that needs more says which operator, how much, and the limit", async () => {
  const body = 'Stream.generate(4_000_000).groupBy("index").aggregate({ n: count() }).toCsv("out.csv")';
  const cwd = directoryWith(flow(body));
  const ended = await sage(["run", "job.ts", "--memory", "40MB"], { cwd });
  // Whoever asks last is named; when that is the source, so is who holds most.
  expect(ended.stderr).toMatch(
    /^error: (aggregate #2|source #1): not enough memory: [\d.]+ k?M?B more are needed, but of the 40\.0 MB .* [\d.]+ MB are taken/,
  );
  expect(ended.stderr).toContain("aggregate #2");
  expectOneError(ended, 1);
  expect(readdirSync(cwd)).toEqual(["job.ts"]);
});

test("rows that pass through need little memory, however many there are", async () => {
  const cwd = directoryWith(flow('Stream.generate(3_000_000).filter(col("index").ge(0)).toCsv("out.csv")'));
  const ended = await sage(["run", "job.ts", "--memory", "64MB", "--quiet"], { cwd });
  expect(ended).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(execFileSync("wc", ["-l", "out.csv"], { cwd, encoding: "utf8" }).trim()).toBe("3000001 out.csv");
});

test("garbage of a function over many rows is collected", async () => {
  const body = `process.on("exit", () => console.error("peak", process.resourceUsage().maxRSS));
export default dataflow("job", () =>
  Stream.generate(3_000_000)
    .map((row) => ({ text: \`row \${row.index}\` }), { text: "utf8" })
    .aggregate({ n: count(), most: col("text").max() }),
);`;
  const ended = await sage(["run", "job.ts", "--quiet", "--format", "csv"], { cwd: directoryWith(job(body)) });
  expect(ended).toMatchObject({ code: 0, stdout: "n,most\n3000000,row 999999\n" });
  const [, kilobytes] = /peak (\d+)/.exec(ended.stderr) ?? [];
  expect(Number(kilobytes)).toBeLessThan(400_000);
});

test("a function that ends its thread fails the job, not the process", async () => {
  const body = "Stream.generate(9).filterRows((row) => (row.index === 5n ? process.exit(3) : true))";
  const ended = await sage(["run", "job.ts"], { cwd: directoryWith(flow(body)) });
  expectOneError(ended, 1);
  expect(ended.stderr).toContain("A worker ended");
});

test("a reader that has enough after one line ends the job at once", () => {
  const cwd = directoryWith(flow(SLOW_ROWS));
  const { status, stdout, stderr } = spawnSync(
    "bash",
    ["-c", `set -o pipefail; "$SAGE_BUN" "$SAGE_CLI" run job.ts --format csv --quiet | head -1`],
    {
      cwd,
      env: { ...process.env, SAGE_BUN: process.execPath, SAGE_CLI: join(import.meta.dirname, "../../cli.ts") },
      timeout: 30_000,
    },
  );
  expect({ status, stdout: stdout.toString(), stderr: stderr.toString() }).toEqual({
    status: 0,
    stdout: "index\n",
    stderr: "",
  });
  expect(existsSync(join(cwd, "out.csv"))).toBe(false);
});
