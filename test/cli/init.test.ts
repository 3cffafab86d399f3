import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { directoryWith, sage } from "./sage.ts";

const tsc = fileURLToPath(new URL("../../node_modules/.bin/tsc", import.meta.url));

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
