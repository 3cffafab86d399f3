import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import type { ClusterId } from "../../src/kernel/mod.ts";
import { openDataDirectory } from "../../src/platform/data_directory.ts";
import { defaultCredentialsFile, defaultDataDirectory } from "../../src/platform/data_paths.ts";
import { createKeys } from "../../src/platform/keys.ts";
import { refusal } from "./store/store_history.ts";

const root = mkdtempSync(join(tmpdir(), "sage-directory-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const keys = createKeys();
const home = (): string => join(mkdtempSync(join(root, "home-")), "node");
const [cluster, other] = ["0a".repeat(16) as ClusterId, "0b".repeat(16) as ClusterId];

test("a new directory is its user's alone, and comes back as the same node", () => {
  const path = join(home(), "deep", "down");
  const directory = openDataDirectory(path, keys);
  expect([statSync(path).mode & 0o777, statSync(join(path, "identity.key")).mode & 0o777]).toEqual([0o700, 0o600]);
  expect(directory.cluster).toBeNull();
  directory.belongTo(cluster);
  const { peer } = directory;
  directory.close();
  const again = openDataDirectory(path, keys, { cluster });
  expect([again.peer, again.cluster, keys.peerOf(again.keyPair.publicKey)]).toEqual([peer, cluster, peer]);
  again.close();
  again.close();
});

test("a directory in use is refused with the process that uses it", () => {
  const path = home();
  const directory = openDataDirectory(path, keys);
  const error = refusal(() => openDataDirectory(path, keys));
  expect(error).toMatchObject({ code: "in-use", message: expect.stringContaining(`process ${process.pid}`) });
  directory.close();
  openDataDirectory(path, keys).close();
});

test("the lock of a process that was killed holds nobody up, even if its id lives again", async () => {
  const path = home();
  const module = (name: string): string =>
    JSON.stringify(join(import.meta.dirname, "..", "..", "src", "platform", name));
  const script = join(root, "hold.ts");
  writeFileSync(
    script,
    `import { openDataDirectory } from ${module("data_directory.ts")};
     import { createKeys } from ${module("keys.ts")};
     openDataDirectory(${JSON.stringify(path)}, createKeys());
     Bun.gc(true);
     process.stdout.write("held");
     setInterval(() => {}, 1000);`,
  );
  const holder = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => holder.stdout.once("data", resolve));
  const error = refusal(() => openDataDirectory(path, keys));
  const gone = new Promise((resolve) => holder.once("close", resolve));
  holder.kill("SIGKILL");
  await gone;
  expect(error).toMatchObject({ code: "in-use", message: expect.stringContaining(`process ${holder.pid}`) });
  expect(existsSync(join(path, "lock.pid"))).toBe(true);
  writeFileSync(join(path, "lock.pid"), `${process.pid}\n`);
  openDataDirectory(path, keys).close();
});

test("a directory of another cluster is refused, also after it was opened", () => {
  const path = home();
  const directory = openDataDirectory(path, keys);
  directory.belongTo(cluster);
  directory.belongTo(cluster);
  expect(refusal(() => directory.belongTo(other))).toMatchObject({ code: "wrong-cluster" });
  directory.close();
  const error = refusal(() => openDataDirectory(path, keys, { cluster: other }));
  expect(error).toMatchObject({ code: "wrong-cluster", message: expect.stringContaining(cluster) });
});

test("a directory of a newer version is refused", () => {
  const path = home();
  openDataDirectory(path, keys).close();
  writeFileSync(join(path, "node.json"), JSON.stringify({ format: 2, soul: "x" }));
  expect(refusal(() => openDataDirectory(path, keys))).toMatchObject({ code: "newer-version" });
});

test("a directory that holds something else is not taken over", () => {
  const path = home();
  mkdirSync(path);
  writeFileSync(join(path, "thesis.txt"), "years of work");
  expect(refusal(() => openDataDirectory(path, keys))).toMatchObject({
    code: "foreign",
    message: expect.stringContaining("thesis.txt"),
  });
  expect(refusal(() => openDataDirectory(join(path, "thesis.txt"), keys))).toMatchObject({ code: "not-writable" });
});

test("an empty directory that others may read is taken and closed to them", () => {
  const path = home();
  mkdirSync(path, { mode: 0o755 });
  openDataDirectory(path, keys).close();
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

test("a key that others can read is refused", () => {
  const path = home();
  openDataDirectory(path, keys).close();
  chmodSync(join(path, "identity.key"), 0o644);
  expect(refusal(() => openDataDirectory(path, keys))).toMatchObject({
    code: "not-private",
    message: expect.stringContaining("chmod 600"),
  });
});

test.each(["identity.key", "node.json"])("a %s that is missing, cut or of another node is damage", (name) => {
  const [path, stranger] = [home(), home()];
  for (const each of [path, stranger]) openDataDirectory(each, keys).close();
  writeFileSync(join(path, "raft.db"), "");
  const whole = readFileSync(join(path, name));
  for (const bytes of [null, new Uint8Array(0), whole.subarray(0, 40), readFileSync(join(stranger, name))]) {
    if (bytes) writeFileSync(join(path, name), bytes);
    else rmSync(join(path, name));
    expect(refusal(() => openDataDirectory(path, keys))).toMatchObject({ code: "damaged" });
    writeFileSync(join(path, name), whole, { mode: 0o600 });
  }
  openDataDirectory(path, keys).close();
});

test("a start that broke off is taken up again", () => {
  const path = home();
  const first = openDataDirectory(path, keys);
  first.close();
  rmSync(join(path, "node.json"));
  writeFileSync(join(path, "node.json.tmp"), "{");
  const again = openDataDirectory(path, keys);
  expect(again.peer).toBe(first.peer);
  again.close();
});

const saved = { ...process.env };
afterEach(() => {
  for (const name of ["XDG_DATA_HOME", "XDG_CONFIG_HOME"]) {
    if (saved[name] === undefined) delete process.env[name];
    else process.env[name] = saved[name];
  }
});

test("the default places are those of the XDG base directories", () => {
  process.env["XDG_DATA_HOME"] = "/srv/data";
  process.env["XDG_CONFIG_HOME"] = "relative";
  expect(defaultDataDirectory()).toBe("/srv/data/sage/node");
  expect(defaultCredentialsFile()).toBe(join(homedir(), ".config", "sage", "credentials.json"));
  delete process.env["XDG_DATA_HOME"];
  expect(defaultDataDirectory()).toBe(join(homedir(), ".local", "share", "sage", "node"));
});
