import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "../../../src/cli/parse.ts";
import {
  AUDIT_ENTRIES_MAX,
  BLOB_BYTES_MAX,
  BLOBS_BYTES_MAX,
  CLIENTS_MAX,
  JOBS_ENDED_MAX,
  JOBS_MAX,
  MEMBERS_MAX,
  SETTING_VALUE_CHARS_MAX,
  SETTINGS_MAX,
  TOKEN_TTL_MS_MAX,
  TOKEN_USES_MAX,
  TOKENS_MAX,
} from "../../../src/cluster/state/limits.ts";
import { jobStatesDiagram } from "../../../src/cluster/state/mod.ts";
import { REPLACE_AFTER_MS, VOTERS_WANTED_MAX } from "../../../src/cluster/voters.ts";

const page = readFileSync(new URL("../../../docs/cluster.md", import.meta.url), "utf8");
const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");

/** Command lines of the shell blocks and of the indented ones. */
function commandLines(text: string): string[] {
  return [...text.matchAll(/^(?: {4}|host.\$ )?(sage .*?)(?: +#.*)?$/gm)].map((match) => match[1] ?? "");
}

test("every command in the documents is understood", async () => {
  const lines = [...commandLines(page), ...commandLines(readme)];
  expect(lines.length).toBeGreaterThan(12);
  for (const line of lines) {
    const parsed = await parse(line.split(/ +/).slice(1));
    expect({ line, kind: parsed.kind }).toEqual({ line, kind: expect.stringMatching(/command|help/) });
  }
});

test("the diagram of a job's states is the one of the table", () => {
  expect(page).toContain(`\`\`\`mermaid\n${jobStatesDiagram()}\`\`\`\n`);
});

test("the limits in the documents are those of the code", () => {
  const row = (what: string) => new RegExp(`^\\| ${what} \\| (.*) \\|$`, "m").exec(page)?.[1];
  const text = (count: number) => count.toLocaleString("en");
  expect(row("members, of which vote")).toBe(`${text(MEMBERS_MAX)}, ${VOTERS_WANTED_MAX}`);
  expect(row("clients, tokens")).toBe(`${text(CLIENTS_MAX)}, ${text(TOKENS_MAX)}`);
  expect(row("uses and life of a token")).toBe(`${text(TOKEN_USES_MAX)}, ${TOKEN_TTL_MS_MAX / 864e5} days`);
  expect(row("jobs, ended ones kept")).toBe(`${text(JOBS_MAX)}, ${text(JOBS_ENDED_MAX)}`);
  expect(row("blob, all blobs")).toBe(`${BLOB_BYTES_MAX / 2 ** 20} MiB, ${BLOBS_BYTES_MAX / 2 ** 30} GiB`);
  expect(row("settings")).toBe(`${text(SETTINGS_MAX)} of ${SETTING_VALUE_CHARS_MAX / 1024} Ki characters`);
  expect(page).toContain(`the last ${text(AUDIT_ENTRIES_MAX)} entries are kept`);
  expect(page).toContain(`dead for ${REPLACE_AFTER_MS / 1000} s`);
});
