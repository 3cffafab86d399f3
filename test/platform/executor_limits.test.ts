import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { controlGroup } from "../../src/platform/cgroup.ts";
import { parsePs, usageReader } from "../../src/platform/process_usage.ts";

const root = mkdtempSync(join(tmpdir(), "sage-cgroup-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Plain files in place of the kernel's; what is written to them shows what the kernel would be asked. */
function fakeTree(controllers: string) {
  const selfPath = join(root, "self");
  writeFileSync(selfPath, "1:name=systemd:/x\n0::/service\n");
  mkdirSync(join(root, "service"), { recursive: true });
  writeFileSync(join(root, "service/cgroup.subtree_control"), controllers);
  return { root, selfPath, cpuWeight: 80 };
}

test("a process gets a control group with its limits, where the system passes them on", () => {
  const group = controlGroup(4_242, fakeTree("cpu memory pids\n"));
  const directory = join(root, "service/sage-executor-4242");
  const read = (file: string) => readFileSync(join(directory, file), "latin1");
  expect(group?.limitMemory(1e9)).toBe(true);
  expect([read("cgroup.procs"), read("cpu.weight"), read("memory.max")]).toEqual(["4242", "80", "1000000000"]);
  expect(group?.isOutOfMemory()).toBe(false);
  writeFileSync(join(directory, "memory.events"), "low 0\noom 1\noom_kill 2\n");
  expect(group?.isOutOfMemory()).toBe(true);
});

test("without the memory controller there is no group, and nothing is made", () => {
  expect(controlGroup(4_243, fakeTree("cpu\n"))).toBe(null);
  expect(controlGroup(4_243, { ...fakeTree("memory"), selfPath: join(root, "missing") })).toBe(null);
  expect(existsSync(join(root, "service/sage-executor-4243"))).toBe(false);
});

test("what a process takes is known while it runs", async () => {
  const child = spawn("sleep", ["30"]);
  const look = usageReader(child.pid ?? 0);
  // Right after the fork, before the program is loaded, a process holds a page or two.
  await expect.poll(() => look()?.residentBytes ?? 0, { timeout: 10_000 }).toBeGreaterThan(100_000);
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await gone;
  if (process.platform === "linux") expect(look()).toBe(null);
});

test("ps tells kibibytes and time in either of its forms", () => {
  expect(parsePs("  12345 00:01:05\n")).toEqual({ residentBytes: 12_345 * 1_024, cpuMs: 65_000 });
  expect(parsePs("  200 1-02:00:00")).toEqual({ residentBytes: 204_800, cpuMs: 93_600_000 });
  expect(parsePs(" 7   0:01.50\n")).toEqual({ residentBytes: 7_168, cpuMs: 1_500 });
  expect(parsePs("")).toBe(null);
});
