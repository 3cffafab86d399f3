/**
 * Adds to package-lock.json the platform packages that the registry in use did not offer when the lock was written.
 *
 * npm leaves an optional dependency out of the lock when it cannot fetch its manifest, and `npm ci` then refuses the
 * lock everywhere. An entry needs only its version and its platform; npm checks integrity where the lock has one.
 * Run after `npm install`: `npm run lock`. The tidy test fails when an entry is missing.
 */
import { readFileSync, writeFileSync } from "node:fs";

type LockEntry = {
  version?: string;
  resolved?: string;
  integrity?: string;
  cpu?: string[];
  os?: string[];
  libc?: string[];
  dev?: boolean;
  optional?: boolean;
  optionalDependencies?: Record<string, string>;
};
export type Lock = { packages: Record<string, LockEntry> };

const OS_NAMES = ["android", "darwin", "freebsd", "linux", "openharmony", "win32", "windows"];
const CPU_NAMES: Readonly<Record<string, string>> = {
  aarch64: "arm64",
  arm: "arm",
  arm64: "arm64",
  ia32: "ia32",
  loong64: "loong64",
  ppc64: "ppc64",
  riscv64: "riscv64",
  s390x: "s390x",
  wasm32: "wasm32",
  x64: "x64",
};

/** Optional dependencies in `lock` that have no entry of their own, as [parent path, name, version]. */
export function missingOptional(lock: Lock): [string, string, string][] {
  const missing: [string, string, string][] = [];
  for (const [parent, entry] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
      if (!isResolved(lock, parent, name)) missing.push([parent, name, version]);
    }
  }
  return missing;
}

function isResolved(lock: Lock, parent: string, name: string): boolean {
  let folder = parent;
  for (;;) {
    if (lock.packages[`${folder === "" ? "" : `${folder}/`}node_modules/${name}`] !== undefined) return true;
    if (folder === "") return false;
    const cut = folder.lastIndexOf("/node_modules/");
    folder = cut < 0 ? "" : folder.slice(0, cut);
  }
}

/** Platform fields read from a package's name, e.g. `@oxlint/binding-linux-arm64-musl`. Undefined when it names none. */
export function platformOf(name: string): Pick<LockEntry, "os" | "cpu" | "libc"> | undefined {
  const words = name.split(/[-/@]/);
  const os = words.find((word) => OS_NAMES.includes(word));
  const cpu = words.map((word) => CPU_NAMES[word]).find((word) => word !== undefined);
  if (cpu === "wasm32") return { cpu: [cpu] };
  if (os === undefined || cpu === undefined) return undefined;
  const isMusl = words.some((word) => word.startsWith("musl"));
  const isGlibc = words.some((word) => word.startsWith("gnu") || word === "glibc");
  const libc = isMusl ? ["musl"] : isGlibc ? ["glibc"] : undefined;
  return { cpu: [cpu], os: [os === "windows" ? "win32" : os], ...(libc === undefined ? {} : { libc }) };
}

/** Returns `lock` with the missing entries; npm puts them in order. Throws for a range or a nameless platform. */
export function completeLock(lock: Lock): Lock {
  const packages = { ...lock.packages };
  for (const [parent, name, version] of missingOptional(lock)) {
    const platform = platformOf(name);
    if (platform === undefined || !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
      throw new Error(`Cannot complete package-lock.json: ${name}@${version} names no platform or no exact version.`);
    }
    const isDev = packages[parent]?.dev === true;
    packages[`node_modules/${name}`] = { version, ...platform, ...(isDev ? { dev: true } : {}), optional: true };
  }
  return { ...lock, packages };
}

if (import.meta.main) {
  const path = new URL("../package-lock.json", import.meta.url);
  const lock = JSON.parse(readFileSync(path, "utf8")) as Lock;
  writeFileSync(path, `${JSON.stringify(completeLock(lock), null, 2)}\n`);
}
