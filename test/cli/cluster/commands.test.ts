import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sage } from "../sage.ts";

/** The commands as their users run them, against one real node. */

const root = fileURLToPath(new URL("../../../", import.meta.url));
const START_MS_MAX = 20_000;
const place = mkdtempSync(join(tmpdir(), "sage-cluster-commands-"));
const home = { XDG_CONFIG_HOME: join(place, "config"), XDG_DATA_HOME: join(place, "data"), USER: "ada" };
const started: Node[] = [];

interface Node {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  /** Text of both outputs so far. */
  readonly text: () => string;
}

/** Starts `sage node`; resolves when it has said how to join it. */
async function startNode(args: readonly string[], env: Readonly<Record<string, string>> = home): Promise<Node> {
  const child = spawn(join(root, "node_modules/.bin/bun"), [join(root, "cli.ts"), "node", ...args], {
    env: { ...process.env, ...env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const node = {
    child,
    text: () => text,
    ended: new Promise<number | null>((resolve) => void child.on("close", resolve)),
  };
  started.push(node);
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      text += chunk.toString();
      if (/^sage node --join/m.test(text)) resolve();
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("close", () => reject(new Error(`the node ended: ${text}`)));
  });
  return node;
}

const ask = (...args: string[]) => sage(args, { env: home });
const address = () => /--join (\S+)/.exec(started[0]?.text() ?? "")?.[1] ?? "";

beforeAll(async () => void (await startNode(["--name", "first"])), START_MS_MAX);

afterAll(async () => {
  for (const { child } of started) child.kill("SIGKILL");
  await Promise.all(started.map(({ ended }) => ended));
  rmSync(place, { recursive: true, force: true });
});

test("the first node shows how to join, and leaves credentials that only its user can read", async () => {
  expect(started[0]?.text()).toMatch(
    /\nfirst is ready\njoin its cluster from another terminal \(to let other hosts in, /,
  );
  expect(address()).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3/);
  expect(statSync(join(place, "config/sage/credentials.json")).mode & 0o777).toBe(0o600);
});

test("the status is a table for people and JSON for programs", async () => {
  const [table, json] = await Promise.all([ask("cluster", "status"), ask("cluster", "status", "--format", "json")]);
  expect(table).toMatchObject({ code: 0, stderr: "" });
  expect(table.stdout).toMatch(
    /^cluster sage [0-9a-f]{32}\n1 of 1 node alive, 1 voter, term \d+, commit \d+\nleader first\n\nnode {3,}health/,
  );
  expect(JSON.parse(json.stdout)).toMatchObject({ name: "sage", members: [{ name: "first", raftRole: "leader" }] });
});

test("a node is found by host and port when its id is known, and named whole when not", async () => {
  const hostPort = /\/tcp\/(\d+)/.exec(address())?.[1];
  expect(await ask("cluster", "status", "--to", `127.0.0.1:${hostPort}`)).toMatchObject({ code: 0, stderr: "" });
  expect(await ask("cluster", "status", "--to", "127.0.0.1:1")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("does not say which node is there"),
  });
});

test("a token is made, listed, used up and revoked", async () => {
  const made = await ask("token", "create", "--role", "read", "--uses", "1", "--format", "json");
  const { tokenId, token } = JSON.parse(made.stdout) as { tokenId: string; token: string };
  const reader = join(place, "reader.json");
  const login = await sage(["login", "--to", address(), "--token", token], {
    env: { ...home, SAGE_CREDENTIALS: reader },
  });
  expect(login).toMatchObject({ code: 0, stdout: expect.stringContaining(" as ada; credentials are in ") });
  const list = await ask("token", "list");
  expect(list.stdout).toMatch(new RegExp(`${tokenId}  read +1 of 1  used up +ada`));
  expect(await ask("token", "revoke", tokenId)).toMatchObject({ code: 0, stdout: `token ${tokenId} is revoked\n` });
  expect((await ask("audit")).stdout).toMatch(/token\.revoke +ok/);

  const refused = await sage(["token", "list"], { env: { ...home, SAGE_CREDENTIALS: reader } });
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("needs the role admin") });
  const again = await sage(["login", "--to", address(), "--token", token], { env: home });
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("sage token create --role read") });
});

test("credentials that others can read, are damaged or missing are refused with what to do", async () => {
  const path = join(place, "bad.json");
  const env = { ...home, SAGE_CREDENTIALS: path };
  expect(await sage(["audit"], { env })).toMatchObject({ code: 2, stderr: expect.stringContaining("sage login --to") });
  writeFileSync(path, readFileSync(join(place, "config/sage/credentials.json")), { mode: 0o644 });
  expect(await sage(["audit"], { env })).toMatchObject({ code: 2, stderr: expect.stringContaining("chmod 600") });
  rmSync(path);
  writeFileSync(path, "{}", { mode: 0o600 });
  expect(await sage(["audit"], { env })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("credentials file"),
  });
});

test("what cannot be undone is asked about, or forced", async () => {
  const asked = await ask("cluster", "leave");
  expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining("Add --force where nobody can answer.") });
  const forced = await ask("cluster", "leave", "first", "--force");
  expect(forced).toMatchObject({ code: 1, stderr: expect.stringContaining("last node cannot leave") });
  expect(await ask("cluster", "recover")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--accept-data-loss"),
  });
});

test("an old key can be ended at once: who renewed goes on, who did not is told to log in again", async () => {
  const token = (await ask("token", "create", "--role", "read")).stdout.trim();
  const other = { ...home, SAGE_CREDENTIALS: join(place, "other.json") };
  expect(await sage(["login", "--to", address(), "--token", token], { env: other })).toMatchObject({ code: 0 });
  expect(await ask("cluster", "rotate-key", "--retire-old")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("Add --force"),
  });
  const ended = await ask("cluster", "rotate-key", "--retire-old", "--force");
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(ended.stdout).toMatch(
    /^the cluster signs with key [0-9a-f]{32} now; what older keys have signed is worthless/,
  );
  expect(await ask("cluster", "status")).toMatchObject({ code: 0 });
  expect(await sage(["cluster", "status"], { env: other })).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/refused these credentials: .*was retired.*sage login/s),
  });
  expect((await ask("token", "list")).stdout).not.toMatch(/ in \d/);
});

test("a second node on the same machine needs no directory and no name, and leaves on Ctrl-C", async () => {
  const token = (await ask("token", "create", "--role", "node")).stdout.trim();
  const second = await startNode(["--join", address(), "--token", token]);
  const watched = sage(["cluster", "status", "--watch", "--format", "json"], {
    env: home,
    onStarted: (child) => {
      second.child.kill("SIGINT");
      void second.ended.then(() => setTimeout(() => child.kill("SIGINT"), 1_000));
    },
  });
  expect(await second.ended).toBe(0);
  expect(second.text()).toMatch(/-2 is ready; to start it again: sage node --data-dir .*node-2\n/);
  expect(second.text()).toContain("leaving in order");
  const { code, stdout, stderr } = await watched;
  expect({ code, stderr }).toEqual({ code: 130, stderr: "" });
  const states = stdout
    .trim()
    .split("\n")
    .map((line) => (JSON.parse(line) as { members: { health: string }[] }).members);
  expect(states.at(0)).toHaveLength(2);
  expect(states.at(-1)?.map(({ health }) => health)).toContain("left");
});

test("without a node that runs, the answer comes at once", async () => {
  const [first] = started;
  first?.child.kill("SIGTERM");
  expect(await first?.ended).toBe(0);
  const startMs = performance.now();
  const ended = await ask("cluster", "status");
  expect(ended).toMatchObject({ code: 1, stdout: "" });
  expect(ended.stderr).toMatch(
    /^error: No node of the cluster answered\. Is sage node running, .*\n {2}Cannot reach \S+: nothing listens there\.\n/,
  );
  expect(performance.now() - startMs).toBeLessThan(5_000);
});
