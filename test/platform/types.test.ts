import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { publicTypes, typesPath } from "../../scripts/types.ts";

test("the types that sage init gives are those of mod.ts and client.ts; else run: npm run types", async () => {
  expect(readFileSync(typesPath, "utf8") === (await publicTypes())).toBe(true);
});

test("the types stand alone: they import nothing", () => {
  expect(readFileSync(typesPath, "utf8")).not.toMatch(/^import |^export .* from (?!"sage\/types";$)|import\(/m);
});

test("the types hold by themselves", () => {
  const directory = mkdtempSync(join(tmpdir(), "sage-types-"));
  copyFileSync(typesPath, join(directory, "sage.d.ts"));
  const tsc = fileURLToPath(new URL("../../node_modules/.bin/tsc", import.meta.url));
  const { stdout } = spawnSync(tsc, ["--noEmit", "--strict", "--target", "esnext", "--types", "", "sage.d.ts"], {
    cwd: directory,
    encoding: "utf8",
  });
  rmSync(directory, { recursive: true });
  expect(stdout).toBe("");
});
