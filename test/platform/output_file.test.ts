import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { openOutputFile } from "../../src/platform/output_file.ts";
import { directoryWith } from "../cli/sage.ts";

test("a file appears whole on commit and replaces what was there", async () => {
  const directory = directoryWith({ "out.csv": "old" });
  const path = join(directory, "out.csv");
  const file = openOutputFile(path);
  await file.write("new ");
  await file.write(new TextEncoder().encode("rows"));
  expect(readFileSync(path, "utf8")).toBe("old");
  file.commit();
  file.abort();
  expect(readFileSync(path, "utf8")).toBe("new rows");
  expect(file.bytes).toBe(8);
  expect(readdirSync(directory)).toEqual(["out.csv"]);
});

test("an aborted file leaves nothing, and what was there stays", async () => {
  const directory = directoryWith({ "out.csv": "old" });
  const file = openOutputFile(join(directory, "out.csv"));
  await file.write("half");
  file.abort();
  file.abort();
  expect(readdirSync(directory)).toEqual(["out.csv"]);
  expect(readFileSync(join(directory, "out.csv"), "utf8")).toBe("old");
});

test("a process that exits in the middle leaves nothing", () => {
  const directory = directoryWith({});
  const module = fileURLToPath(new URL("../../src/platform/output_file.ts", import.meta.url));
  const code = `import { openOutputFile } from ${JSON.stringify(module)};
    await openOutputFile("out.csv").write("half"); process.exit(3);`;
  const bun = fileURLToPath(new URL("../../node_modules/.bin/bun", import.meta.url));
  expect(() => execFileSync(bun, ["-e", code], { cwd: directory, stdio: "ignore" })).toThrow();
  expect(readdirSync(directory)).toEqual([]);
});

test("directories above it are made, and an abort removes those it made while they are empty", async () => {
  const directory = directoryWith({});
  const path = join(directory, "a", "b", "out.csv");
  const first = openOutputFile(path);
  const second = openOutputFile(join(directory, "a", "other.csv"));
  first.abort();
  expect(readdirSync(join(directory, "a"))).toHaveLength(1);
  second.abort();
  const kept = openOutputFile(path);
  await kept.write("rows");
  kept.commit();
  expect(readFileSync(path, "utf8")).toBe("rows");
});

test("a file where a directory should be is the system's error, and no directory stays", () => {
  const directory = directoryWith({ file: "" });
  expect(() => openOutputFile(join(directory, "file", "out.csv"))).toThrow(/ENOTDIR|EEXIST/);
  expect(() => openOutputFile(join(directory, "new", `${"x".repeat(250)}.csv`))).toThrow("ENAMETOOLONG");
  expect(readdirSync(directory)).toEqual(["file"]);
});
