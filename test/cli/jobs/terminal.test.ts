import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RealNode, startRealNode } from "../real_node.ts";
import { sage } from "../sage.ts";

/** `sage submit` in a terminal: what Ctrl-C asks, and what the answers do. */

const MS_MAX = 240_000;
const root = fileURLToPath(new URL("../../../", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "sage-terminal-"));
const file = join(directory, "waits.ts");
let node: RealNode;

beforeAll(async () => {
  writeFileSync(
    file,
    `import { existsSync } from "node:fs";
     import { dataflow, param, Stream } from "sage";
     const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));
     export default dataflow("waits", { params: { go: param.text() } }, ({ go }) =>
       Stream.generate(2).map((row) => {
         while (!existsSync(go)) Atomics.wait(nobodyWakes, 0, 0, 20);
         return { index: row.index };
       }, { index: "int64" }));`,
  );
  node = await startRealNode(["--slots", "2"]);
}, MS_MAX);

afterAll(async () => {
  await node.end();
  rmSync(directory, { recursive: true, force: true });
});

const QUESTION = /runs on the cluster\. \[c\]ancel it, .* or Enter to go on: /;
const UNTIL_MS = 60_000;
const CTRL_C = "\u0003";

/** A command on a terminal of its own, which `script` of util-linux makes, and what it has drawn there. */
class Typist {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number>;
  screen = "";

  constructor(args: readonly string[]) {
    const command = [join(root, "node_modules/.bin/bun"), join(root, "cli.ts"), ...args].map((part) => `'${part}'`);
    this.#child = spawn("script", ["-qfec", `exec ${command.join(" ")}`, "/dev/null"], {
      cwd: directory,
      env: { ...process.env, ...node.env, NO_COLOR: "1", TERM: "xterm", SHELL: "/bin/sh" },
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.screen += text;
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.on("error", reject);
      this.#child.on("close", (code) => resolve(code ?? -1));
    });
  }

  async until(text: RegExp): Promise<void> {
    const endMs = Date.now() + UNTIL_MS;
    while (!text.test(this.screen)) {
      if (this.#child.exitCode !== null || Date.now() > endMs) throw new Error(`no ${text} in ${this.screen}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  async end(): Promise<number> {
    const hurry = setTimeout(() => this.#child.kill("SIGKILL"), UNTIL_MS);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(hurry);
    }
  }
}

const hasTerminals = process.platform === "linux" && existsSync("/usr/bin/script");

let count = 0;
async function stateOf(name: string): Promise<string> {
  const { stdout } = await sage(["jobs", "show", name, "--format", "json"], { env: node.env });
  return (JSON.parse(stdout) as { state: string }).state;
}

async function cancelled(name: string): Promise<void> {
  await sage(["jobs", "cancel", name, "--force"], { env: node.env });
}

/** A job that runs until `go` is called, and whoever has submitted it. */
async function submitted(name: string): Promise<{ readonly typist: Typist; readonly go: () => void }> {
  const go = join(directory, `go-${++count}`);
  const typist = new Typist(["submit", file, "--param", `go=${go}`, "--name", name]);
  await typist.until(/ job \d+ /);
  return { typist, go: () => writeFileSync(go, "") };
}

const ACTIVE = /^(submitted|compiling|scheduling|running)$/;
const GOES_ON = /Job \d+ goes on\. See it with: sage jobs watch \d+/;
const ANSWERS = [
  ["c", "c\n", 130, /Job \d+ is cancelled\./, /^cancell/],
  ["d", "d\n", 0, GOES_ON, ACTIVE],
  ["Ctrl-C", CTRL_C, 130, GOES_ON, ACTIVE],
] as const;

for (const [answer, typed, code, said, state] of ANSWERS) {
  test.runIf(hasTerminals)(`Ctrl-C asks, and ${answer} ends with ${code}`, { timeout: MS_MAX }, async () => {
    const name = `asked-${answer}`;
    const { typist } = await submitted(name);
    typist.type(CTRL_C);
    await typist.until(QUESTION);
    typist.type(typed);
    expect(await typist.end()).toBe(code);
    expect(typist.screen).toMatch(said);
    expect(await stateOf(name)).toMatch(state);
    await cancelled(name);
  });
}

test.runIf(hasTerminals)("Ctrl-C asks, and Enter goes on to the rows", { timeout: MS_MAX }, async () => {
  const { typist, go } = await submitted("asked-Enter");
  typist.type(CTRL_C);
  await typist.until(QUESTION);
  typist.type("\n");
  go();
  expect(await typist.end()).toBe(0);
  expect(typist.screen).toMatch(/index\r\nint64\r\n.*\r\n +0\r\n +1\r\n\(2 rows\)\r\n/);
});
