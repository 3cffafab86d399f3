import { expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/commands.ts";
import { helpText } from "../../src/cli/help.ts";
import { paintFor } from "../../src/cli/paint.ts";
import { sage } from "./sage.ts";

const plain = paintFor({ hasColor: false });

test.each(COMMANDS)("help of $name reads as agreed", async (command) => {
  const text = helpText({ kind: "command", command }, "0.0.0", plain);
  await expect(text).toMatchFileSnapshot(`goldens/help_${command.name.replaceAll(/[ -]/g, "_")}.txt`);
});

test.each([
  [["help", "run"], "help_run.txt"],
  [["help", "cluster", "status"], "help_cluster_status.txt"],
  [["cluster", "status", "--help"], "help_cluster_status.txt"],
  [["cluster"], "help_cluster.txt"],
  [["cluster", "--help"], "help_cluster.txt"],
  [["help", "token"], "help_token.txt"],
])("sage %j shows help", async (args, golden) => {
  const ended = await sage(args);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  await expect(ended.stdout).toMatchFileSnapshot(`goldens/${golden}`);
});

test("examples use options that the command has, and descriptions are short", () => {
  for (const { name, examples, options } of COMMANDS) {
    for (const { line } of examples) {
      const known = new Set(options.map((option) => `--${option.name}`));
      expect(line).toContain(`sage ${name}`);
      expect((line.match(/--[a-z-]+/g) ?? []).filter((option) => !known.has(option))).toEqual([]);
    }
    for (const { description } of options) expect(description.length).toBeLessThanOrEqual(90);
  }
});

test("sage alone, help, --help and -h show the same overview", async () => {
  const texts = await Promise.all([[], ["help"], ["--help"], ["-h"]].map(async (args) => (await sage(args)).stdout));
  await expect(texts[0]).toMatchFileSnapshot("goldens/help.txt");
  expect(new Set(texts).size).toBe(1);
});

test("a command with --help shows its help and does nothing", async () => {
  const [asked, helped] = await Promise.all([sage(["run", "nothing.ts", "--help"]), sage(["help", "run"])]);
  expect(asked).toEqual(helped);
});

test("--version says the version of the package", async () => {
  expect(await sage(["--version"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^sage \d+\.\d+\.\d+\n$/) });
});

test("NO_COLOR and pipes keep escape sequences away", async () => {
  const ended = await sage(["help", "run"], { env: { NO_COLOR: "", FORCE_COLOR: "" } });
  expect(ended.stdout).not.toContain("\u001b");
});
