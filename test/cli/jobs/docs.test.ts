import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "../../../src/cli/parse.ts";
import { jobStatesDiagram } from "../../../src/jobs/mod.ts";
import { OPERATORS_MAX } from "../../../src/plan/mod.ts";
import { BUNDLE_BYTES_MAX, PARAMS_LENGTH_MAX, PLAN_BYTES_MAX } from "../../../src/protocol/mod.ts";

const page = readFileSync(new URL("../../../docs/jobs.md", import.meta.url), "utf8");

test("every command on the page is understood", async () => {
  const lines = [...page.matchAll(/^sage .*$/gm)].map(([line]) => line);
  expect(lines.length).toBeGreaterThan(8);
  for (const line of lines) {
    const parsed = await parse(line.split(/ +/).slice(1));
    expect({ line, kind: parsed.kind }).toEqual({ line, kind: "command" });
  }
});

test("the diagram of a job's states is the one of the table", () => {
  expect(page).toContain(`\`\`\`mermaid\n${jobStatesDiagram()}\`\`\`\n`);
});

test("limits on the page are those of the code", () => {
  const mebi = (bytes: number) => `${bytes >> 20} MiB`;
  for (const limit of [OPERATORS_MAX.toLocaleString("en"), mebi(PLAN_BYTES_MAX), mebi(BUNDLE_BYTES_MAX)]) {
    expect(page).toContain(limit);
  }
  expect(page).toContain(`${PARAMS_LENGTH_MAX.toLocaleString("en")} characters`);
});
