import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A cluster of one real node, and the environment in which commands find it. */
export interface RealNode {
  readonly env: Readonly<Record<string, string>>;
  readonly address: string;
  /** Path of the administrator's credentials. */
  readonly credentials: string;
  end(): Promise<void>;
}

export async function startRealNode(args: readonly string[] = []): Promise<RealNode> {
  const place = mkdtempSync(join(tmpdir(), "sage-jobs-"));
  const credentials = join(place, "credentials.json");
  const env = { XDG_CONFIG_HOME: join(place, "config"), SAGE_CREDENTIALS: credentials, USER: "ada" };
  const child = spawn(
    join(root, "node_modules/.bin/bun"),
    [join(root, "cli.ts"), "node", "--data-dir", join(place, "node"), "--name", "first", ...args],
    { env: { ...process.env, ...env, NO_COLOR: "1" }, stdio: ["ignore", "pipe", "pipe"] },
  );
  const ended = new Promise<void>((resolve) => void child.on("close", () => resolve()));
  let text = "";
  await new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer) => {
      text += chunk.toString();
      if (/^sage node --join/m.test(text)) resolve();
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("close", () => reject(new Error(`the node ended: ${text}`)));
  });
  return {
    env,
    credentials,
    address: /--join (\S+)/.exec(text)?.[1] ?? "",
    async end() {
      child.kill("SIGTERM");
      const hurry = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await ended;
      clearTimeout(hurry);
      rmSync(place, { recursive: true, force: true });
    },
  };
}
