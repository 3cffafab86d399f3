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

test("a directory that is not there is the system's error", () => {
  expect(() => openOutputFile("/nowhere/at/all.csv")).toThrow("ENOENT");
});
