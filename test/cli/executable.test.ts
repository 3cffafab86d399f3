import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { directoryWith } from "./sage.ts";

/** The built executable, tried as a new user would: from an empty directory, with an empty environment. */

const root = fileURLToPath(new URL("../../", import.meta.url));
/** Two seconds on a quiet machine. */
const BUILD_MS_MAX = 240_000;
const place = mkdtempSync(join(tmpdir(), "sage-executable-"));
const executable = join(place, "sage");

beforeAll(() => {
  const bun = join(root, "node_modules/.bin/bun");
  execFileSync(bun, [join(root, "scripts/build.ts"), "--outfile", executable], { stdio: "ignore" });
}, BUILD_MS_MAX);

afterAll(() => rmSync(place, { recursive: true, force: true }));

function start(args: readonly string[], cwd: string): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(executable, args, { cwd, env: {} });
  return { code: status, stdout: stdout.toString(), stderr: stderr.toString() };
}

const job = `import { dataflow, Stream } from "sage";
import { twice } from "./helper.ts";
export default dataflow("x", () => Stream.generate(3).map((row) => ({ b: twice(row.index) }), { b: "int64" }));
`;

test("it says its version, from anywhere", () => {
  expect(start(["--version"], "/")).toMatchObject({ code: 0, stdout: expect.stringMatching(/^sage \d+/) });
});

test("it bundles a job with its imports and runs it on worker threads", () => {
  const cwd = directoryWith({
    "job.ts": job,
    "helper.ts": "export const twice = (value: bigint): bigint => 2n * value;",
  });
  const ended = start(["run", "job.ts", "--format", "json", "--quiet", "--workers", "2"], cwd);
  expect(ended).toEqual({ code: 0, stdout: '{"b":0}\n{"b":2}\n{"b":4}\n', stderr: "" });
});

test("an error in a worker leads to the user's line", () => {
  const cwd = directoryWith({
    "job.ts": job,
    "helper.ts": "export function twice(value: bigint): bigint {\n  throw new Error(`not ${value}`);\n}\n",
  });
  const ended = start(["run", "job.ts"], cwd);
  expect(ended).toMatchObject({ code: 1, stdout: "" });
  expect(ended.stderr).toMatch(/helper\.ts:2:\d+\n\s+2 \|\s+throw new Error/);
});

test("it carries the types that init writes", () => {
  const cwd = directoryWith({});
  expect(start(["init"], cwd)).toMatchObject({ code: 0, stderr: "" });
  const typeChecker = join(root, "node_modules/.bin/tsc");
  expect(spawnSync(typeChecker, ["-p", cwd]).stdout.toString()).toBe("");
});
