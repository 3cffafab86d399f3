import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const check = fileURLToPath(new URL("./worker_host_check.ts", import.meta.url));
const bin = fileURLToPath(new URL("../../node_modules/.bin/", import.meta.url));

test.each([
  ["Bun", `${bin}bun`, [check]],
  ["Deno", `${bin}deno`, ["run", "-A", "--no-check", check]],
])("on %s threads share 4 GiB of memory, can be stopped, and report what they threw", (_runtime, command, args) => {
  expect(execFileSync(command, args, { stdio: ["ignore", "pipe", "ignore"] }).toString()).toBe("ok\n");
});
