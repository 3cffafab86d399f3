import { ClosedOutputError, loadAsset, makeDirectory, type Terminal, writeNewFile } from "../platform/mod.ts";
import { EXIT, UsageError } from "./error.ts";
import { paintFor } from "./paint.ts";
import type { ParsedCommand } from "./parse.ts";
import { systemReason } from "./system_reason.ts";

const JOB = `import { avg, col, count, dataflow, Stream } from "sage";

const measurements = [
  { city: "Lima", month: 1, celsius: 23.1 },
  { city: "Lima", month: 7, celsius: 17.2 },
  { city: "Oslo", month: 1, celsius: -2.9 },
  { city: "Oslo", month: 7, celsius: 18.4 },
  { city: "Pune", month: 1, celsius: 20.6 },
  { city: "Pune", month: 7, celsius: null },
];

export default dataflow("mild_cities", () =>
  Stream.fromRows(measurements)
    .filter(col("celsius").isNotNull())
    .groupBy("city")
    .aggregate({ months: count(), celsius: avg("celsius") })
    .orderBy({ celsius: "desc" }),
);
`;

const TSCONFIG = `{
  "compilerOptions": {
    "target": "ESNext",
    "module": "ESNext",
    "moduleResolution": "bundler",
    "allowImportingTsExtensions": true,
    "strict": true,
    "noEmit": true,
    "skipLibCheck": true,
    "types": [],
    "paths": { "sage": ["./.sage/sage.d.ts"], "sage/client": ["./.sage/sage.d.ts"] }
  },
  "include": ["**/*.ts", ".sage/*.d.ts"]
}
`;

/** `sage init`: a first job and what an editor needs to check it. Never replaces a file unless told to. */
export async function init(terminal: Terminal, { positionals, flags }: ParsedCommand): Promise<number> {
  const directory = positionals[0] ?? ".";
  const files: readonly (readonly [string, string | Uint8Array])[] = [
    ["job.ts", JOB],
    ["tsconfig.json", TSCONFIG],
    [".sage/sage.d.ts", await loadAsset("sage.d.ts")],
  ];
  const paint = paintFor(terminal.out);
  try {
    makeDirectory(`${directory}/.sage`);
    const kept: string[] = [];
    for (const [name, content] of files) {
      const path = `${directory}/${name}`;
      const isWritten = writeNewFile(path, content, { canReplace: flags.has("force") });
      if (!isWritten) kept.push(path);
      await terminal.out.write(`${isWritten ? paint.green("wrote") : paint.yellow("kept ")} ${path}\n`);
    }
    if (kept.length > 0)
      await terminal.err.write("Files that existed were kept. Replace them with: sage init --force\n");
  } catch (cause) {
    if (cause instanceof ClosedOutputError) throw cause;
    throw new UsageError(`Cannot write into ${directory}: ${systemReason(cause)}.`, { command: "init", cause });
  }
  const enter = directory === "." ? "" : `cd ${directory} && `;
  await terminal.out.write(`\nNext: ${paint.cyan(`${enter}sage run job.ts`)}\n`);
  return EXIT.ok;
}
