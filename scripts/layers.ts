/**
 * The layer table: the one place that says which folder of `src/` may import which.
 *
 * A folder imports only from rows below its own, and there only `mod.ts`; folders of one row do not see each other.
 * `npm run lint:rules` writes `.oxlintrc.json` from it; the tidy test checks that file, the folders on disk and the
 * table in `docs/architecture.md` against it.
 */
export type Layer = {
  readonly row: number;
  readonly folder: string;
  readonly purpose: string;
  /** A planned folder may be absent from the disk. */
  readonly isPlanned?: true;
};

export const LAYERS: readonly Layer[] = [
  { row: 0, folder: "kernel", purpose: "invariant, error type, branded ids, bounded queue, and the ports" },
  { row: 1, folder: "arrow", purpose: "the arena and its allocator, types, schema, batches, IPC in and out" },
  { row: 1, folder: "wasm", purpose: "typed WebAssembly assembler (bytes and text); knows no queries" },
  { row: 1, folder: "raft", purpose: "pure consensus machine" },
  { row: 2, folder: "plan", purpose: "expressions, typing, logical nodes, rewrite rules, explain printer" },
  { row: 2, folder: "protocol", purpose: "messages between processes and their encoding" },
  { row: 2, folder: "state", purpose: "keyed state in the arena, its snapshot and restore format", isPlanned: true },
  { row: 3, folder: "stream", purpose: "the user's API: builds a logical plan" },
  { row: 3, folder: "codegen", purpose: "pipeline to WebAssembly module" },
  { row: 3, folder: "checkpoint", purpose: "pure decisions: epochs, manifests, what may be deleted", isPlanned: true },
  { row: 4, folder: "connectors", purpose: "sources and sinks, one folder a system, one contract" },
  { row: 4, folder: "shuffle", purpose: "partitioners, partition store, channels with credits" },
  { row: 4, folder: "jobs", purpose: "job state machine, planner, placement, recovery" },
  { row: 5, folder: "exec", purpose: "physical operators, pipelines, morsel pool" },
  { row: 6, folder: "agent", purpose: "slots, executor supervision, resource limits" },
  { row: 6, folder: "executor", purpose: "tasks over exec and shuffle: what an executor process does" },
  { row: 6, folder: "cluster", purpose: "membership, failure detection, election, admission" },
  { row: 7, folder: "node", purpose: "one member: wires cluster, jobs and agent through ports" },
  { row: 7, folder: "client", purpose: "library to submit to and watch a cluster" },
  { row: 8, folder: "platform", purpose: "the only folder that names the runtime; implements the ports" },
  {
    row: 8,
    folder: "sim",
    purpose: "seeded clock, network and disk for a whole cluster in one process",
  },
  { row: 8, folder: "api", purpose: "HTTP routes, metrics endpoint, dashboard files", isPlanned: true },
  { row: 9, folder: "cli", purpose: "commands: parse, wire the platform in, print" },
];

/** The folder that may name `node:*`, `Bun`, `Deno`, clocks, chance and I/O. */
export const PLATFORM_FOLDER = "platform";

/** The folder that may import the library's entry: it gives jobs the library that is running. */
export const ENTRY_FOLDER = "platform";

/** Runtime names that only the platform may use: name and what to use instead. */
export const PLATFORM_GLOBALS: Readonly<Record<string, string>> = {
  Bun: "a port",
  Deno: "a port",
  process: "a port",
  Buffer: "Uint8Array",
  require: "import",
  fetch: "a port",
  console: "a port",
  performance: "the Clock port",
  setTimeout: "the Clock port",
  setInterval: "the Clock port",
  setImmediate: "the Clock port",
  clearTimeout: "the Clock port",
  clearInterval: "the Clock port",
};

/** Packages that are ways to the outside and so belong to the platform alone. */
export const PLATFORM_MODULES =
  "^(node:|bun$|bun:|jsr:|npm:|https?:|libp2p$|@libp2p/|@chainsafe/|(fs|path|os|url|util|net|tls|http|https|http2|dgram|dns|crypto|stream|events|buffer|zlib|child_process|cluster|worker_threads|perf_hooks|process|timers|readline|tty|vm|v8|module|async_hooks|sqlite)(/|$))";

/** Folders whose `mod.ts` `folder` may import. */
export function allowedFolders(folder: string): string[] {
  const row = LAYERS.find((layer) => layer.folder === folder)?.row;
  if (row === undefined) throw new Error(`Unknown folder src/${folder}: add it to scripts/layers.ts.`);
  return LAYERS.filter((layer) => layer.row < row).map((layer) => layer.folder);
}

/** The table as it stands in `docs/architecture.md`. */
export function layersAsMarkdown(): string {
  const lines = LAYERS.map(
    ({ row, folder, purpose, isPlanned }) => `| ${row} | \`${folder}/\` | ${purpose}${isPlanned ? " (planned)" : ""} |`,
  );
  return ["| row | folder | what it is |", "|---|---|---|", ...lines].join("\n");
}
