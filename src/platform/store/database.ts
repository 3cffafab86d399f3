import { chmodSync, closeSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { InvariantError, StoreError, type StoreErrorCode } from "../../kernel/mod.ts";

/**
 * SQLite as the store uses it: one connection that holds the file alone (so there is no shared memory file, and a second
 * process is refused), a write-ahead log that is synced at each commit, and checkpoints only when the store asks for them: an
 * automatic one that fails would make a commit fail that is already durable.
 */

const PRAGMAS = [
  "locking_mode = EXCLUSIVE",
  "journal_mode = WAL",
  "synchronous = FULL",
  "wal_autocheckpoint = 0",
  "cell_size_check = ON",
  "trusted_schema = OFF",
  "temp_store = MEMORY",
];

const CANCELLED_SUFFIX = ".refused";

/** Primary result codes: https://sqlite.org/rescode.html */
const CODES: Readonly<Record<number, StoreErrorCode>> = {
  3: "not-writable",
  5: "in-use",
  6: "in-use",
  8: "not-writable",
  11: "damaged",
  13: "disk-full",
  14: "not-writable",
  26: "damaged",
};

export type Row = Readonly<Record<string, unknown>>;
export type Value = string | number | null | Uint8Array;

/** The log holds keys: for its user alone, as are the files that SQLite lays beside it, which take over its mode. */
function makePrivate(path: string): void {
  try {
    if (!existsSync(path)) closeSync(openSync(path, "a", 0o600));
    else if (process.platform !== "win32" && (statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
  } catch {
    // What cannot be done here SQLite cannot do either, and says why.
  }
}

export class Database {
  readonly #path: string;
  readonly #sqlite: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** Opens and locks; makes the file when it is missing. */
  constructor(path: string) {
    if (!existsSync(path) && existsSync(path + CANCELLED_SUFFIX)) renameSync(path + CANCELLED_SUFFIX, path);
    this.#path = path;
    makePrivate(path);
    this.#sqlite = new DatabaseSync(path);
    try {
      for (const pragma of PRAGMAS) this.all(`PRAGMA ${pragma}`);
    } catch (cause) {
      // The file of another process is to be left alone.
      if (isBusy(cause)) this.close();
      else this.closeUntouched();
      throw cause;
    }
  }

  run(sql: string, ...values: readonly Value[]): void {
    this.#statement(sql).run(...values);
  }

  all(sql: string, ...values: readonly Value[]): readonly Row[] {
    return this.#statement(sql).all(...values);
  }

  /** Stops reading when the consumer stops. */
  rows(sql: string, ...values: readonly Value[]): Iterable<Row> {
    return this.#statement(sql).iterate(...values);
  }

  first(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.#statement(sql).get(...values);
  }

  transaction(work: () => void): void {
    this.run("BEGIN IMMEDIATE");
    try {
      work();
      this.run("COMMIT");
    } catch (cause) {
      this.#rollback();
      throw cause;
    }
  }

  /** Moves what the log holds into the database and begins the log anew. */
  checkpoint(mode: "PASSIVE" | "TRUNCATE"): void {
    this.all(`PRAGMA wal_checkpoint(${mode})`);
  }

  close(): void {
    this.#statements.clear();
    this.#sqlite.close();
  }

  /**
   * Closes without the checkpoint that SQLite does at the end, so that what was found stays as it was found: it leaves a
   * database alone whose file is no longer where it was.
   */
  closeUntouched(): void {
    const away = this.#path + CANCELLED_SUFFIX;
    const isAway = tryRename(this.#path, away);
    try {
      this.close();
    } finally {
      if (isAway) renameSync(away, this.#path);
    }
  }

  #rollback(): void {
    try {
      this.run("ROLLBACK");
    } catch {
      // SQLite has rolled it back itself.
    }
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#sqlite.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** Some systems do not rename what is open: closing then does what it does. */
function tryRename(from: string, to: string): boolean {
  try {
    renameSync(from, to);
    return true;
  } catch {
    return false;
  }
}

function isBusy(cause: unknown): boolean {
  return CODES[((cause as { errcode?: number }).errcode ?? 0) & 0xff] === "in-use";
}

export function damaged(path: string, finding: string, cause?: unknown): StoreError {
  const what = `Node data directory ${dirname(path)} is damaged: ${finding}.`;
  const remedy =
    "Restore it as it was at its last stop (an older copy would forget promises made since), or remove this node from the " +
    "cluster (sage cluster leave NODE) and start it with an empty directory.";
  return new StoreError("damaged", `${what} ${remedy}`, { cause });
}

/** What SQLite or the operating system threw, as the store's own error. */
export function storeError(path: string, cause: unknown): unknown {
  if (cause instanceof StoreError || cause instanceof InvariantError) return cause;
  const { errcode, code, message } = cause as { errcode?: number; code?: string; message?: string };
  const kind = code === "ENOSPC" ? "disk-full" : (CODES[(errcode ?? 0) & 0xff] ?? "failed");
  const name = basename(path);
  const directory = dirname(path);
  switch (kind) {
    case "damaged":
      return damaged(path, `${name} is no sound database (${message})`, cause);
    case "disk-full":
      return new StoreError(kind, `Cannot write ${path}: the disk is full. Make room, then start the node again.`, {
        cause,
      });
    case "in-use":
      return new StoreError(
        kind,
        `Cannot open ${path}: another process uses it. A directory serves one node at a time.`,
        {
          cause,
        },
      );
    case "not-writable": {
      const advice = `Make ${directory} and what is in it readable and writable for this user.`;
      return new StoreError(kind, `Cannot write ${path}: ${message}. ${advice}`, { cause });
    }
    default: {
      const advice = "Look at the health of the disk, then start the node again.";
      return new StoreError("failed", `Cannot use ${path}: ${message}. ${advice}`, { cause });
    }
  }
}
