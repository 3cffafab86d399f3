import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { directoryWith, sage } from "./sage.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tsc = join(root, "node_modules/.bin/tsc");
const bun = join(root, "node_modules/.bin/bun");

function typeErrors(directory: string): string {
  try {
    return execFileSync(tsc, ["-p", directory], { stdio: ["ignore", "pipe", "ignore"] }).toString();
  } catch (error) {
    return String((error as { stdout: unknown }).stdout);
  }
}

test("what init writes passes the type checker, and the checker knows the columns", async () => {
  const cwd = directoryWith({});
  const ended = await sage(["init", "demo"], { cwd });
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(ended.stdout).toContain("Next: cd demo && sage run job.ts");
  expect(typeErrors(join(cwd, "demo"))).toBe("");
  const path = join(cwd, "demo/job.ts");
  writeFileSync(path, readFileSync(path, "utf8").replace('avg("celsius")', 'avg("celsiu")'));
  expect(typeErrors(join(cwd, "demo"))).toContain("celsiu");
});

const PROGRAM = `import { col, dataflow, Stream } from "sage";
import { ClientError, connect, type Job, JobFailedError, type JobProgress, RemoteError, SageError } from "sage/client";

const late = dataflow("late", () => Stream.generate(10).filter(col("index").gt(5)));
try {
  await using cluster = await connect({ credentials: "nowhere.json" });
  const job: Job = await cluster.submit(late, { parallelism: 2, timeoutMs: 60_000 });
  for await (const row of job.result()) console.log(Object.keys(row));
  const { state, stages, lastError }: JobProgress = await job.status();
  console.log(state, stages.map(({ rowsOut }) => rowsOut), lastError?.place?.line);
  for await (const line of job.logs({ follow: true })) console.log(line.node, line.text);
  await job.cancel();
  const names: string[] = (await cluster.jobs.list({ states: ["failed"], limit: 5 })).map(({ name }) => name);
  console.log(names, (await cluster.jobs.find("late")).id);
} catch (error) {
  if (error instanceof JobFailedError) console.log(error.place?.file, error.planCode);
  if (error instanceof RemoteError) console.log(error.method);
  console.log(error instanceof ClientError && error instanceof SageError ? error.code : error);
}
`;

test("a program that uses a cluster passes the type checker, which knows what a job can do, and runs", async () => {
  const cwd = directoryWith({ "program.ts": PROGRAM });
  await sage(["init"], { cwd });
  expect(typeErrors(cwd)).toBe("");
  writeFileSync(join(cwd, "program.ts"), PROGRAM.replace("job.cancel()", "job.cancl()").replace("rowsOut }", "rows }"));
  expect(typeErrors(cwd)).toMatch(/(?=[^]*'rows' does not exist)(?=[^]*'cancl' does not exist)/);
  writeFileSync(join(cwd, "program.ts"), PROGRAM);
  mkdirSync(join(cwd, "node_modules"));
  symlinkSync(root, join(cwd, "node_modules/sage"));
  // Sources of the package that runs are not the user's to check.
  expect(typeErrors(cwd)).toBe("");
  expect(execFileSync(bun, ["program.ts"], { cwd }).toString()).toBe("refused\n");
});

test("what init writes runs", async () => {
  const cwd = directoryWith({});
  await sage(["init"], { cwd });
  const ended = await sage(["run", "job.ts", "--format", "csv", "--quiet"], { cwd });
  expect(ended).toEqual({
    code: 0,
    stdout: expect.stringMatching(/^city,months,celsius\nPune,1,20\.6\nLima,2,20\.1/),
    stderr: "",
  });
});

test("init keeps files that exist unless it is forced", async () => {
  const cwd = directoryWith({ "job.ts": "mine" });
  const kept = await sage(["init"], { cwd });
  expect(kept).toMatchObject({ code: 0, stderr: expect.stringContaining("--force") });
  expect(kept.stdout).toContain("kept  ./job.ts");
  expect(readFileSync(join(cwd, "job.ts"), "utf8")).toBe("mine");
  await sage(["init", "--force"], { cwd });
  expect(readFileSync(join(cwd, "job.ts"), "utf8")).toContain("dataflow(");
});

test("init in a place that cannot be written is refused", async () => {
  const ended = await sage(["init", "job.ts/sub"], { cwd: directoryWith({ "job.ts": "mine" }) });
  expect(ended).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining("part of the path is a file") });
});
