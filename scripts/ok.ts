/**
 * `npm run ok`: the whole gate. Every step runs, each gives one line; fails when one failed.
 * `npm run ok -- types lint` runs only these steps.
 */
type Step = { readonly name: string; readonly command: readonly string[] };

const STEPS: readonly Step[] = [
  { name: "format", command: ["biome", "check", "--error-on-warnings", "."] },
  { name: "types", command: ["tsc", "-p", "."] },
  { name: "lint", command: ["oxlint", "--type-aware", "--deny-warnings"] },
  { name: "unused", command: ["knip", "--no-progress"] },
  { name: "tidy", command: ["bun", "--bun", "vitest", "run", "test/tidy.test.ts", "test/layers.test.ts"] },
  { name: "tests", command: ["bun", "--bun", "vitest", "run", "--exclude", "test/{tidy,layers}.test.ts"] },
];

const root = new URL("../", import.meta.url);
const bin = (name: string): string => Bun.fileURLToPath(new URL(`node_modules/.bin/${name}`, root));

async function run(step: Step): Promise<boolean> {
  const [name = "", ...args] = step.command;
  const start = performance.now();
  const child = Bun.spawn([bin(name), ...args], { cwd: Bun.fileURLToPath(root), stdout: "pipe", stderr: "pipe" });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (code !== 0) console.log(`${out}${err}`.trimEnd());
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${step.name.padEnd(8)} ${seconds} s`);
  return code === 0;
}

const wanted = Bun.argv.slice(2);
const unknown = wanted.filter((name) => !STEPS.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`Unknown step: ${unknown.join(", ")}. Steps: ${STEPS.map((step) => step.name).join(", ")}.`);
  process.exit(2);
}
const failed: string[] = [];
for (const step of STEPS) {
  if (wanted.length > 0 && !wanted.includes(step.name)) continue;
  if (!(await run(step))) failed.push(step.name);
}
console.log(failed.length === 0 ? "All is well." : `Failed: ${failed.join(", ")}.`);
process.exit(failed.length === 0 ? 0 : 1);
