import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RealNode, startRealNode } from "../real_node.ts";
import { type SageOptions, sage } from "../sage.ts";

/** The commands about jobs as their users run them, against one real node. */

const MS_MAX = 240_000;
const directory = mkdtempSync(join(tmpdir(), "sage-job-commands-"));
let node: RealNode;

const JOBS = {
  "numbers.ts": `
    import { dataflow, param, Stream } from "sage";
    export default dataflow(
      "numbers",
      { params: { count: param.int({ default: 3, min: 0, description: "how many" }), bad: param.boolean({ default: false }), word: param.text() } },
      ({ count, bad, word }) =>
        Stream.fromRows(Array.from({ length: count }, (_, v) => ({ v })), { v: "int64" }).map((row) => {
          console.log("row " + row.v);
          if (bad) throw new Error("no number is liked");
          return { v: row.v, word };
        }, { v: "int64", word: "utf8" }),
    );`,
  "naps.ts": `
    import { dataflow, Stream } from "sage";
    const nap = (ms: number) => { for (const end = performance.now() + ms; performance.now() < end; ); };
    console.log("naps are built");
    export default dataflow("naps", () =>
      Stream.fromRows(Array.from({ length: 6_000 }, (_, v) => ({ v }))).map((row) => { nap(100); return row; }, { v: "float64" }));`,
  "plain.ts": `
    import { dataflow, Stream } from "sage";
    export default dataflow("plain", () => Stream.fromCsv("in.csv").orderBy({ a: "desc" }));`,
  "in.csv": "a,b\n1,x\n2,y\n",
  "sink.ts": `
    import { dataflow, Stream } from "sage";
    export default dataflow("sink", () => Stream.fromCsv("in.csv").toCsv("out.csv"));`,
  "syntax.ts": "export default 1 +;",
  "none.ts": "export const a = 1;",
  "throws.ts": `import { dataflow } from "sage"; export default dataflow("x", () => { throw new Error("not today"); });`,
  "exits.ts": `import { dataflow, Stream } from "sage"; process.exit(0); export default dataflow("x", () => Stream.generate(1));`,
  "import.ts": `import x from "not-there"; export default x;`,
  "many.ts": `
    import { dataflow, Stream } from "sage";
    export default dataflow("many", () => { let s = Stream.generate(1); for (let i = 0; i < 10_000; i++) s = s.limit(1); return s; });`,
  "cycle.ts": `
    import { dataflow, Stream } from "sage";
    export default dataflow("cycle", () => { const n: any = { kind: "limit", count: 1, offset: 0 }; n.input = n; return new Stream(n); });`,
  "absent.ts": `import { dataflow, Stream } from "sage"; export default dataflow("absent", () => Stream.fromCsv("absent.csv"));`,
  "column.ts": `import { dataflow, Stream } from "sage"; export default dataflow("column", () => Stream.generate(1).select("nope"));`,
};

const ask = (args: readonly string[], options: SageOptions = {}) =>
  sage(args, { cwd: directory, ...options, env: { ...node.env, ...options.env } });

beforeAll(async () => {
  for (const [name, text] of Object.entries(JOBS)) writeFileSync(join(directory, name), text);
  writeFileSync(
    join(directory, "big.ts"),
    `import { dataflow, Stream } from "sage"; const s = "${"x".repeat(40 << 20)}";
    export default dataflow("big", () => Stream.generate(1).filterRows(() => s.length > 0));`,
  );
  node = await startRealNode(["--slots", "2"]);
}, MS_MAX);

afterAll(async () => {
  await node.end();
  rmSync(directory, { recursive: true, force: true });
});

test("rows come as sage run prints them, in every format", { timeout: MS_MAX }, async () => {
  for (const format of ["table", "json", "csv", "arrow"]) {
    const args = ["numbers.ts", "--param", "word=a,b", "--param", "count=50", "--format", format];
    const [there, here] = [await ask(["submit", ...args]), await ask(["run", ...args])];
    expect(there.stderr).toMatch(/Job \d+ numbers finished in .*: 1 task, read 50 rows/);
    expect(there.stdout).toBe(here.stdout);
    expect(there.code).toBe(0);
  }
});

test("--output writes a file here, paths count from here, and a sink writes where the job says", {
  timeout: MS_MAX,
}, async () => {
  const rows = await ask(["submit", "plain.ts", "--output", "rows.csv"]);
  expect(rows.stderr).toMatch(/Wrote rows.csv: 2 rows/);
  expect(readFileSync(join(directory, "rows.csv"), "utf8")).toBe("a,b\n2,y\n1,x\n");
  expect((await ask(["submit", "sink.ts", "--quiet"])).stderr).toBe("");
  expect(readFileSync(join(directory, "out.csv"), "utf8")).toBe("a,b\n1,x\n2,y\n");
  const none = await ask(["submit", "sink.ts", "--output", "rows.csv"]);
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("none for --output")]);
});

test("a failed job shows the user's line, also in show; its logs are kept", { timeout: MS_MAX }, async () => {
  const failed = await ask(["submit", "numbers.ts", "--param", "word=x", "--param", "bad=true", "--name", "bad"]);
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(/error: .*no number is liked/);
  expect(failed.stderr).toMatch(/numbers\.ts:9:\d+/);
  expect(failed.stderr).toContain('if (bad) throw new Error("no number is liked");');
  const shown = await ask(["jobs", "show", "bad"]);
  expect(shown.stdout).toMatch(/job \d+ bad ✕ failed/);
  expect(shown.stdout).toMatch(/\n\s*0\.0 +failed /);
  expect(shown.stdout).toMatch(/numbers\.ts:9:\d+/);
  expect(shown.stdout).toMatch(
    /submitted .*\n.*compiling .*\n.*scheduling .*\n.*(running .*\n.*)?failing .*\n.*failed /,
  );
  const logs = await ask(["jobs", "logs", "bad"]);
  expect(logs.stdout).toMatch(/first .*row 0\n/);
});

test("a detached job is listed, watched, waited for, cancelled, restarted and deleted", {
  timeout: MS_MAX,
}, async () => {
  const sent = JSON.parse((await ask(["submit", "naps.ts", "--detach", "--format", "json"])).stdout) as {
    number: number;
    jobId: string;
  };
  const number = String(sent.number);
  const listed = JSON.parse((await ask(["jobs", "list", "--status", "active", "--format", "json"])).stdout) as object[];
  expect(listed).toMatchObject([{ number: sent.number, jobId: sent.jobId, name: "naps" }]);
  const late = await ask(["jobs", "wait", sent.jobId.slice(0, 12), "--timeout", "500ms"]);
  expect([late.code, late.stderr]).toEqual([1, "not ended after 500ms\n"]);
  expect((await ask(["jobs", "delete", number, "--force"])).code).toBe(1);
  expect((await ask(["jobs", "cancel", number])).stderr).toMatch(/asks before it does this. Add --force/);
  const watching = ask(["jobs", "watch", number]);
  const cancelled = await ask(["jobs", "cancel", number, "--force", "--format", "json"]);
  expect(JSON.parse(cancelled.stdout)).toMatchObject([{ number: sent.number, name: "naps" }]);
  expect((await watching).stdout).toMatch(/job \d+ naps ○ cancelled/);
  expect((await ask(["jobs", "wait", number])).stdout).toMatch(/○ cancelled/);
  const again = await ask(["jobs", "stop", number, "--force"]);
  expect([again.code, again.stderr]).toEqual([1, expect.stringMatching(/Cannot stop job \d+: .*ended/)]);
  expect((await ask(["jobs", "restart", "naps", "--force"])).stdout).toBe(`job ${number} naps runs again\n`);
  expect((await ask(["jobs", "cancel", "--status", "active", "--force"])).code).toBe(0);
  await ask(["jobs", "wait", number]);
  expect((await ask(["jobs", "delete", number, "--force"])).stdout).toBe(`job ${number} naps is deleted\n`);
  expect((await ask(["jobs", "show", number])).stderr).toContain(`There is no job ${number}`);
});

test("SIGTERM cancels a job whose rows nobody will read", { timeout: MS_MAX }, async () => {
  const ended = await interrupted();
  expect(ended).toMatchObject({ code: 143, stderr: expect.stringMatching(/Job \d+ is cancelled/) });
  const { stdout } = await ask(["jobs", "list", "--status", "active"]);
  expect(stdout).toBe("no jobs in these states\n");
});

test("--timeout ends the job", { timeout: MS_MAX }, async () => {
  const late = await ask(["submit", "naps.ts", "--timeout", "1s"]);
  expect([late.code, late.stderr]).toEqual([1, expect.stringMatching(/longer than its timeout of 1000 ms/)]);
});

const WRONG: readonly (readonly [what: string, args: readonly string[], code: number, message: RegExp])[] = [
  ["a missing file", ["submit", "nothing.ts"], 2, /Cannot find the job file nothing.ts/],
  ["a syntax error", ["submit", "syntax.ts"], 2, /syntax.ts:1:19/],
  ["a builder that throws", ["submit", "throws.ts"], 2, /threw while it was built: Error: not today/],
  ["a file that ends the process", ["submit", "exits.ts"], 2, /exits.ts ended the process while it was loaded/],
  ["no default export", ["submit", "none.ts"], 2, /no default export/],
  ["an import that is not there", ["submit", "import.ts"], 2, /Cannot find the package not-there/],
  ["a bundle of 40 MB", ["submit", "big.ts"], 2, /has 41 MiB, at most 32 MiB can be sent/],
  ["a cycle", ["submit", "cycle.ts"], 2, /must not have a cycle/],
  ["10,000 operators", ["submit", "many.ts"], 2, /10001 operators, at most 1023/],
  ["a missing parameter", ["submit", "numbers.ts"], 2, /word is missing. Its parameters:\n {2}count .*: how many\n/],
  [
    "a parameter of another type",
    ["submit", "numbers.ts", "--param", "word=a", "--param", "count=x"],
    2,
    /count must be a whole number from 0 on, not "x"/,
  ],
  [
    "a parameter that is not there",
    ["submit", "plain.ts", "--param", "a=1"],
    2,
    /there is no parameter a. It has no parameters/,
  ],
  ["a parameter without a value", ["submit", "plain.ts", "--param", "a"], 2, /--param a is not NAME=VALUE/],
  ["an unknown column", ["submit", "column.ts"], 2, /Unknown column nope.*\n.*column\.ts:1:\d+\n.*\.select\("nope"\)/],
  ["a file that is not there", ["submit", "absent.ts"], 1, /absent.csv/],
  ["a parallelism of 0", ["submit", "plain.ts", "--parallelism", "0"], 2, /--parallelism 0 must be .* from 1 to 4096/],
  ["a parallelism of 1e9", ["submit", "plain.ts", "--parallelism", "1e9"], 2, /--parallelism 1e9 must be/],
  ["a parallelism that is no number", ["submit", "plain.ts", "--parallelism", "abc"], 2, /--parallelism abc must be/],
  [
    "a name that the log cannot have",
    ["submit", "plain.ts", "--name", "a\u202eb"],
    2,
    /"a.b": names of jobs are .* --name NAME/,
  ],
  [
    "more memory than any slot has",
    ["submit", "plain.ts", "--task-memory", "500GiB"],
    1,
    /it needs 1 × a slot of .* at once, and of 2 slots \(2 × .*\) 0 are large enough/,
  ],
  ["a job without a name", ["jobs", "show", ""], 1, /There is no job ""/],
  ["a job with a longer name than there is", ["jobs", "show", "x".repeat(300)], 1, /There is no job x{40}…: /],
  ["a job that is not there", ["jobs", "show", "zz"], 1, /There is no job zz/],
  ["a state that is not there", ["jobs", "list", "--status", "runing"], 2, /Did you mean running/],
  ["no job at all", ["jobs", "cancel"], 2, /needs jobs, or --status/],
  ["jobs and states", ["jobs", "cancel", "1", "--status", "failed"], 2, /not both/],
  ["a priority out of range", ["submit", "plain.ts", "--priority", "2000"], 2, /from -1000 to 1000/],
  ["detach with output", ["submit", "plain.ts", "--detach", "--output", "a.csv"], 2, /none for --output/],
];

for (const [what, args, code, message] of WRONG) {
  test(`${what} is one clear error`, { timeout: MS_MAX }, async () => {
    const ended = await ask(args);
    expect([ended.code, ended.stderr, ended.stdout]).toEqual([code, expect.stringMatching(message), ""]);
    expect(ended.stderr.match(/error:/g)).toHaveLength(1);
  });
}

test("who may only read can list, but not submit", { timeout: MS_MAX }, async () => {
  const { stdout } = await ask(["token", "create", "--role", "read"]);
  const env = { SAGE_CREDENTIALS: join(directory, "reader.json") };
  expect((await ask(["login", "--to", node.address, "--token", stdout.trim()], { env })).code).toBe(0);
  expect((await ask(["jobs", "list"], { env })).code).toBe(0);
  const refused = await ask(["submit", "plain.ts"], { env });
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/submit/)]);
});

async function interrupted() {
  let end: () => void = () => undefined;
  const ended = ask(["submit", "naps.ts", "--name", "stopped"], {
    onStarted: (child) => void (end = () => child.kill("SIGTERM")),
  });
  for (;;) {
    const { stdout } = await ask(["jobs", "list", "--status", "running"]);
    if (stdout.includes("stopped")) break;
  }
  end();
  return ended;
}
