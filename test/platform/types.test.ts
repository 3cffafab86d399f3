import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { publicTypes, typesPath } from "../../scripts/types.ts";

test("the types that sage init gives are those of mod.ts; else run: npm run types", async () => {
  expect(readFileSync(typesPath, "utf8") === (await publicTypes())).toBe(true);
});

test("the types stand alone: they import nothing", () => {
  expect(readFileSync(typesPath, "utf8")).not.toMatch(/^import |^export .* from |import\(/m);
});
