import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** Runs the real `cli.ts` as a user does, in a process of its own. */

const root = fileURLToPath(new URL("../../", import.meta.url));
const bin = join(root, "node_modules/.bin");

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface SageOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly runtime?: "bun" | "deno";
  /** Called once output has come, for tests that interrupt. */
  readonly onStarted?: (child: { kill(signal: NodeJS.Signals): void }) => void;
}

export function sage(args: readonly string[], options: SageOptions = {}): Promise<Ended> {
  const prefix = options.runtime === "deno" ? ["run", "-A", "--no-check"] : [];
  const child = spawn(join(bin, options.runtime ?? "bun"), [...prefix, join(root, "cli.ts"), ...args], {
    cwd: options.cwd ?? root,
    env: { ...process.env, COLUMNS: "", NO_COLOR: "1", ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  let isStarted = false;
  const started = () => {
    if (!isStarted) options.onStarted?.(child);
    isStarted = true;
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    started();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    started();
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** A directory of its own with these files, gone after the test. */
export function directoryWith(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), "sage-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return directory;
}
