/** `npm run bench:startup`: how long the executable takes to say its version and to run a job of three rows. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { median } from "./compare.ts";

const RUNS = 21;
const executable = fileURLToPath(new URL("../dist/sage", import.meta.url));
if (!existsSync(executable)) execFileSync("npm", ["run", "build"], { stdio: "inherit" });

const directory = mkdtempSync(join(tmpdir(), "sage-startup-"));
const job = join(directory, "job.ts");
writeFileSync(
  job,
  `import { col, dataflow, Stream } from "sage";
export default dataflow("three", () => Stream.fromRows([{ n: 1 }, { n: 2 }, { n: 3 }]).filter(col("n").gt(1)));
`,
);

function medianMs(args: readonly string[]): number {
  const times = Array.from({ length: RUNS }, () => {
    const startMs = performance.now();
    execFileSync(executable, args, { cwd: "/", stdio: "ignore" });
    return performance.now() - startMs;
  });
  return median(times);
}

try {
  console.log("| what | median ms | at most |\n|---|---|---|");
  console.log(`| sage --version | ${medianMs(["--version"]).toFixed(0)} | 50 |`);
  console.log(`| sage run, 3 rows | ${medianMs(["run", job]).toFixed(0)} | 200 |`);
} finally {
  rmSync(directory, { recursive: true });
}
