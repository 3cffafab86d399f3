import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import type { StoreError } from "../../../src/kernel/mod.ts";
import { openRaftStore } from "../../../src/platform/store/raft_store.ts";
import type { Entry } from "../../../src/raft/mod.ts";
import { contents, entry, refusal } from "./store_history.ts";

const root = mkdtempSync(join(tmpdir(), "sage-crash-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const child = fileURLToPath(new URL("./store_child.ts", import.meta.url));
const project = join(import.meta.dirname, "..", "..", "..");

/** Lets a process save until it is killed; gives the last index that it said was saved. */
function saveAndKill(path: string, from: number, afterMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const process_ = spawn(process.execPath, [child, "save", path, String(from)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    let isTimed = false;
    process_.stdout.on("data", (bytes: Uint8Array) => {
      said += new TextDecoder().decode(bytes);
      if (!isTimed) setTimeout(() => process_.kill("SIGKILL"), afterMs);
      isTimed = true;
    });
    process_.on("error", reject);
    process_.on("close", () => resolve(Number(said.trimEnd().split("\n").at(-1) ?? 0)));
  });
}

test("after kill -9 at any moment all that was acknowledged is there", async () => {
  const path = join(mkdtempSync(join(root, "killed-")), "raft.db");
  let lastIndex = 0;
  for (let round = 0; round < 6; round++) {
    const acknowledged = await saveAndKill(path, lastIndex + 1, 20 + Math.random() * 300);
    expect(acknowledged).toBeGreaterThan(lastIndex);
    const store = openRaftStore(path);
    const state = store.load();
    expect(state.lastIndex).toBeGreaterThanOrEqual(acknowledged);
    expect(state.lastIndex).toBeLessThanOrEqual(acknowledged + 1);
    expect(state.hardState?.commit).toBe(state.lastIndex - 1);
    const isSame = (each: Entry): boolean =>
      each.kind === "data" &&
      Buffer.compare(each.data, entry(each.index, 1, 50 + ((each.index * 37) % 9000)).data) === 0;
    const entries = store.entries(1, state.lastIndex + 1, 1e9);
    expect([entries.length, entries.every(isSame)]).toEqual([state.lastIndex, true]);
    lastIndex = state.lastIndex;
    store.close();
  }
});

const MOUNT = { make: "mount", end: "umount" };

/** A file system of a megabyte, where this user may mount one. */
function smallDisk(): { path: string; release: () => void } | null {
  const path = mkdtempSync(join(root, "small-"));
  try {
    execFileSync(MOUNT.make, ["-t", "tmpfs", "-o", "size=1m", "tmpfs", path], { stdio: "ignore" });
    return { path, release: () => execFileSync(MOUNT.end, [path], { stdio: "ignore" }) };
  } catch {
    return null;
  }
}

test("a full disk makes save throw, keeps all that was acknowledged, and is over when there is room", (context) => {
  const disk = smallDisk();
  if (!disk) return context.skip("this user may not mount a small file system");
  try {
    const filler = join(disk.path, "filler");
    writeFileSync(filler, new Uint8Array(300_000));
    const path = join(disk.path, "raft.db");
    const store = openRaftStore(path);
    let error: StoreError | null = null;
    let saved = 0;
    while (!error && saved < 1000) {
      error = refusal(() => store.save({ entries: [entry(saved + 1, 1, 3000)] }));
      if (!error) saved += 1;
    }
    expect(error).toMatchObject({
      code: "disk-full",
      retryable: true,
      message: expect.stringContaining("disk is full"),
    });
    expect(store.load().lastIndex).toBe(saved);
    expect(store.entries(1, saved + 1, 1e9)).toHaveLength(saved);
    expect(refusal(() => store.save({ entries: [entry(saved + 1, 1, 3000)] }))?.code).toBe("disk-full");
    const before = contents(store);
    store.close();

    const again = openRaftStore(path);
    expect(contents(again)).toBe(before);
    rmSync(filler);
    for (let index = saved + 1; index < saved + 10; index++) again.save({ entries: [entry(index, 1, 3000)] });
    again.close();
    const last = openRaftStore(path);
    expect(last.load().lastIndex).toBe(saved + 9);
    last.close();
  } finally {
    disk.release();
  }
});

test("a disk that is full from the start makes opening say so", (context) => {
  const disk = smallDisk();
  if (!disk) return context.skip("this user may not mount a small file system");
  try {
    refusalOfFilling(join(disk.path, "filler"));
    expect(refusal(() => openRaftStore(join(disk.path, "raft.db")))).toMatchObject({ code: "disk-full" });
    rmSync(join(disk.path, "filler"));
    openRaftStore(join(disk.path, "raft.db")).close();
  } finally {
    disk.release();
  }
});

function refusalOfFilling(path: string): void {
  try {
    writeFileSync(path, new Uint8Array(2 << 20));
  } catch {
    // As full as it gets.
  }
}

/** Node 24 is not among the packages: name it to have it tested too. */
const runtimes = [
  ["Deno", join(project, "node_modules", ".bin", "deno"), ["run", "-A"]],
  ["Node 24", process.env["SAGE_NODE24"] ?? "", ["--no-warnings"]],
] as const;

for (const [name, runtime, args] of runtimes) {
  test.skipIf(!existsSync(runtime))(`${name} writes what Bun reads, and the other way round`, () => {
    const path = join(mkdtempSync(join(root, "runtime-")), "raft.db");
    const options = { encoding: "utf8", cwd: project } as const;
    const written = execFileSync(runtime, [...args, child, "live", path], options);
    const store = openRaftStore(path);
    expect(contents(store)).toBe(written);
    const { lastIndex } = store.load();
    store.save({ entries: [entry(lastIndex + 1, 3)] });
    const more = contents(store);
    store.close();
    expect(execFileSync(runtime, [...args, child, "show", path], options)).toBe(more);
  });
}
