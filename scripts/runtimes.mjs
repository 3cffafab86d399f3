/**
 * Makes `bun` runnable where npm did not run its install script (`--ignore-scripts`, or a policy that blocks them):
 * puts the platform package's binary where the `bun` command looks for it. Plain JavaScript for any Node, because it
 * runs before there is anything else. Safe to run twice at once: the binary is renamed into place.
 * (The `deno` package does this by itself on its first run.)
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, linkSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const BINARY_BYTES_MIN = 1_000_000; // the placeholder is a few hundred bytes
const modules = fileURLToPath(new URL("../node_modules/", import.meta.url));
const target = `${modules}bun/bin/bun.exe`;

function isBinary(path) {
  return existsSync(path) && statSync(path).size >= BINARY_BYTES_MIN;
}

function runs(path) {
  return isBinary(path) && spawnSync(path, ["--version"], { stdio: "ignore" }).status === 0;
}

function installed() {
  const scope = `${modules}@oven`;
  if (!existsSync(scope)) return [];
  const name = process.platform === "win32" ? "bun.exe" : "bun";
  return readdirSync(scope).map((folder) => `${scope}/${folder}/bin/${name}`);
}

function put(source, path) {
  const temporary = `${path}.${process.pid}`;
  rmSync(temporary, { force: true });
  try {
    linkSync(source, temporary);
  } catch {
    copyFileSync(source, temporary);
  }
  renameSync(temporary, path);
}

if (!isBinary(target)) {
  const source = installed().find(runs);
  if (source === undefined) {
    console.error(
      "Cannot run SAGE: no Bun for this platform in node_modules. Install with: npm ci --include=optional --include=dev",
    );
    process.exit(1);
  }
  put(source, target);
}
