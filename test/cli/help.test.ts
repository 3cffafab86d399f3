import { expect, test } from "vitest";
import { sage } from "./sage.ts";

test.each(["run", "explain", "init", "help"])("help of %s reads as agreed", async (command) => {
  const ended = await sage(["help", command]);
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  await expect(ended.stdout).toMatchFileSnapshot(`goldens/help_${command}.txt`);
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
