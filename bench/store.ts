/** `bun bench/store.ts [DIRECTORY]`: what a durable change of the consensus log costs, beside a bare SQLite transaction. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openRaftStore } from "../src/platform/mod.ts";

const CHANGES = 1_500;
const ENTRY_BYTES = 200;

const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), "sage-store-bench-"));

/** Milliseconds of each call, sorted. */
function timed(run: () => void): number[] {
  const times = Array.from({ length: CHANGES }, () => {
    const startMs = performance.now();
    run();
    return performance.now() - startMs;
  });
  return times.sort((a, b) => a - b);
}

function print(what: string, timesMs: readonly number[]): void {
  const at = (share: number): string => (timesMs[Math.floor(timesMs.length * share)] ?? 0).toFixed(3);
  const perSecond = (timesMs.length * 1000) / timesMs.reduce((sum, ms) => sum + ms, 0);
  console.log(`| ${what} | ${at(0.5)} | ${at(0.99)} | ${perSecond.toFixed(0)} |`);
}

function bareSqlite(entriesPerChange: number): number[] {
  const database = new DatabaseSync(join(directory, `bare-${entriesPerChange}.db`));
  for (const pragma of ["locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"]) {
    database.prepare(`PRAGMA ${pragma}`).all();
  }
  database.exec("CREATE TABLE entry (idx INTEGER PRIMARY KEY, data BLOB)");
  const [begin, commit] = [database.prepare("BEGIN IMMEDIATE"), database.prepare("COMMIT")];
  const insert = database.prepare("INSERT INTO entry VALUES (NULL, ?)");
  const data = new Uint8Array(ENTRY_BYTES).fill(7);
  const times = timed(() => {
    begin.run();
    for (let count = 0; count < entriesPerChange; count++) insert.run(data);
    commit.run();
  });
  const stored = database.prepare("SELECT count(*) AS stored FROM entry").get() as { stored: number };
  if (stored.stored !== CHANGES * entriesPerChange) throw new Error(`SQLite holds ${stored.stored} entries.`);
  database.close();
  return times;
}

async function store(entriesPerChange: number): Promise<number[]> {
  const path = join(directory, `store-${entriesPerChange}.db`);
  const opened = await openRaftStore(path);
  const data = new Uint8Array(ENTRY_BYTES).fill(7);
  let index = 0;
  const times = timed(() => {
    const entries = Array.from({ length: entriesPerChange }, () => ({
      kind: "data" as const,
      index: ++index,
      term: 1,
      data,
    }));
    opened.save({ hardState: { term: 1, vote: null, commit: index }, entries });
  });
  opened.close();
  const startMs = performance.now();
  const again = await openRaftStore(path);
  const openMs = performance.now() - startMs;
  if (again.load().lastIndex !== CHANGES * entriesPerChange) throw new Error("The store has lost entries.");
  console.log(`| store: open with ${again.load().lastIndex} entries | ${openMs.toFixed(0)} | | |`);
  again.close();
  return times;
}

try {
  console.log("| what | ms p50 | ms p99 | a second |\n|---|---|---|---|");
  for (const entriesPerChange of [1, 64]) {
    print(`bare SQLite: ${entriesPerChange} entries a transaction`, bareSqlite(entriesPerChange));
    print(`store: ${entriesPerChange} entries a save`, await store(entriesPerChange));
  }
} finally {
  rmSync(directory, { recursive: true });
}
