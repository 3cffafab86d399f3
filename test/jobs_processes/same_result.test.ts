import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withAbsolutePaths } from "../../src/client/mod.ts";
import { bundleJob, createEngine } from "../../src/platform/mod.ts";
import { isDataflow } from "../../src/stream/mod.ts";
import { rowText, runAll } from "../e2e/engines.ts";
import { JobsCluster, jobFile, submit } from "./support/jobs_cluster.ts";
import { contentOf } from "./support/leftovers.ts";

const LIMIT_MS = 180_000;

interface Example {
  readonly name: string;
  readonly roots: readonly number[];
  /** Small enough for each parallelism on each cluster. */
  readonly isSmall: boolean;
}

const EXAMPLES: readonly Example[] = [
  { name: "orders", roots: [0], isSmall: true },
  { name: "great_circle", roots: [0], isSmall: true },
  { name: "weather", roots: [], isSmall: true },
  { name: "busiest_routes", roots: [0], isSmall: false },
  { name: "flights", roots: [0], isSmall: false },
];

interface Given {
  readonly rows: readonly (readonly string[])[];
  readonly files: Readonly<Record<string, string>>;
}

/** As `sage run` does it, with what it writes in `output`. */
async function runHere({ name, roots }: Example, output: string): Promise<Given> {
  const bundle = await bundleJob(jobFile(name));
  try {
    const flow = await bundle.load();
    if (!isDataflow(flow)) throw new Error(`${name} is no job`);
    const plan = withAbsolutePaths(flow.plan, (path) => {
      if (isAbsolute(path)) return path;
      return path.startsWith("out/") ? join(output, path.slice(4)) : join(process.cwd(), path);
    });
    await using engine = await createEngine({ bundleUrl: bundle.url, workers: 1 });
    const rows = await runAll(engine, plan);
    return { rows: roots.map((root) => rows[root] ?? []), files: await contentOf(output) };
  } finally {
    bundle.dispose();
  }
}

const reference = new Map<string, Given>();

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), "sage-reference-"));
  try {
    for (const example of EXAMPLES) {
      const output = join(directory, example.name);
      mkdirSync(output);
      reference.set(example.name, await runHere(example, output));
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}, LIMIT_MS);

/** Nodes, and which parallelism the large examples have there. */
const CLUSTERS = [
  [1, 1],
  [2, 2],
  [5, 7],
] as const;

describe.each(CLUSTERS)("on %i nodes", { timeout: LIMIT_MS }, (nodes, large) => {
  let cluster: JobsCluster;
  beforeAll(async () => {
    cluster = await JobsCluster.found({ nodes });
  }, LIMIT_MS);
  afterAll(async () => {
    const { directory } = cluster;
    expect(await cluster.end()).toEqual([]);
    expect(existsSync(directory)).toBe(false);
  }, LIMIT_MS);

  for (const example of EXAMPLES) {
    const { name, roots, isSmall } = example;
    for (const parallelism of isSmall ? [1, 2, 7] : [large]) {
      test(`${name} with ${parallelism} tasks a stage gives what sage run gives`, async () => {
        const output = cluster.newOutput();
        const client = await cluster.client(output);
        const job = await submit(client, name, { parallelism });
        const given: string[][] = [];
        for (const root of roots) {
          const rows: string[] = [];
          for await (const row of job.result({ root })) rows.push(rowText(row));
          given.push(rows);
        }
        await job.wait();
        expect({ rows: given, files: await contentOf(output) }).toEqual(reference.get(name));
        await job.delete();
        expect(await cluster.leftovers(output)).toEqual([]);
        await client.close();
      });
    }
  }
});
