import { existsSync, readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { type BlobHash, StoreError } from "../../kernel/mod.ts";
import { readAcknowledged } from "./acknowledged.ts";
import { Database, damaged, storeError } from "./database.ts";
import { LogIndex } from "./log_index.ts";
import { type EntryRow, entryOf, namedCrc, partName, type StateRow, stateOf, stateText } from "./rows.ts";
import { scanWal } from "./wal_scan.ts";

/** Opening means checking: what is found wrong here must never be taken for the truth. Nothing is changed before all is well. */

const SCHEMA_VERSION = 1;
/** "SAGE" */
const APPLICATION_ID = 0x53414745;
/** After a clean stop, a database up to this size is still checked page by page; always after another end. */
const PAGE_CHECK_BYTES_MAX = 64 << 20;

const SCHEMA = [
  "CREATE TABLE state (id INTEGER PRIMARY KEY, body TEXT NOT NULL, crc INTEGER NOT NULL)",
  "CREATE TABLE entry (idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, kind INTEGER NOT NULL, data BLOB NOT NULL, crc INTEGER NOT NULL)",
  "CREATE TABLE snapshot_part (part INTEGER PRIMARY KEY, data BLOB NOT NULL, crc INTEGER NOT NULL)",
  "CREATE TABLE blob (id INTEGER PRIMARY KEY, hash TEXT NOT NULL, data BLOB NOT NULL, crc INTEGER NOT NULL)",
];

export type CheckedStore = {
  readonly database: Database;
  readonly state: StateRow;
  readonly log: LogIndex;
  readonly blobs: Map<BlobHash, number>;
};

/** @throws {StoreError} */
export function openChecked(path: string, owner: string): CheckedStore {
  let database: Database | null = null;
  try {
    const wal = `${path}-wal`;
    const isUnclean = existsSync(wal) && statSync(wal).size > 0;
    const acknowledged = findAcknowledged(path);
    database = new Database(path);
    if (isUnclean && scanWal(readFileSync(wal)).lostTransactions > 1) {
      throw damaged(path, `changes in ${basename(wal)} can no longer be read`);
    }
    if (isBlank(database) && acknowledged === null) create(database, owner);
    checkVersion(path, database);
    if (isUnclean || statSync(path).size <= PAGE_CHECK_BYTES_MAX) checkPages(path, database);
    const state = readState(path, database, acknowledged);
    if (owner !== "" && state.owner !== owner) {
      throw new StoreError(
        "wrong-owner",
        `${path} belongs to node ${state.owner}, not to ${owner}: its key was replaced.`,
      );
    }
    const log = readLog(path, database, state);
    checkSnapshot(path, database, state);
    const blobs = readBlobs(path, database, state);
    if (isUnclean) checkpoint(path, database);
    return { database, state, log, blobs };
  } catch (cause) {
    database?.closeUntouched();
    throw storeError(path, cause);
  }
}

/** Null where none was ever written, as in a new store. */
function findAcknowledged(path: string): number | null {
  const file = `${path}.ack`;
  if (!existsSync(file)) return null;
  const sequence = readAcknowledged(file);
  if (sequence === null) throw damaged(path, `${basename(file)} is unreadable`);
  if (!existsSync(path) && !existsSync(`${path}.refused`)) throw damaged(path, `${basename(path)} is missing`);
  return sequence;
}

function isBlank(database: Database): boolean {
  return database.first("SELECT 1 FROM sqlite_schema") === undefined;
}

function create(database: Database, owner: string): void {
  const state: StateRow = {
    sequence: 0,
    owner,
    firstIndex: 1,
    lastIndex: 0,
    entryDigest: 0,
    blobCount: 0,
    blobDigest: 0,
    hardState: null,
    snapshot: null,
  };
  const { body, crc } = stateText(state);
  database.transaction(() => {
    for (const table of SCHEMA) database.run(table);
    database.run("INSERT INTO state VALUES (1, ?, ?)", body, crc);
    database.run(`PRAGMA application_id = ${APPLICATION_ID}`);
    database.run(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
}

function checkVersion(path: string, database: Database): void {
  if (isBlank(database)) throw damaged(path, `${basename(path)} is empty`);
  if (database.first("PRAGMA application_id")?.["application_id"] !== APPLICATION_ID) {
    throw damaged(path, `${basename(path)} is no store of SAGE`);
  }
  const version = Number(database.first("PRAGMA user_version")?.["user_version"]);
  if (version > SCHEMA_VERSION) {
    const what = `${path} was written by a newer version of SAGE (format ${version}; this one knows ${SCHEMA_VERSION}).`;
    throw new StoreError("newer-version", `${what} Start the node with that version or a later one.`);
  }
  const tables = database.all("SELECT sql FROM sqlite_schema ORDER BY rowid").map((row) => row["sql"]);
  if (version < 1 || tables.join() !== SCHEMA.join())
    throw damaged(path, `the tables of ${basename(path)} have changed`);
}

function checkPages(path: string, database: Database): void {
  const found = database.first("PRAGMA quick_check(1)")?.["quick_check"];
  if (found !== "ok") throw damaged(path, `${basename(path)}: ${String(found)}`);
}

function readState(path: string, database: Database, acknowledged: number | null): StateRow {
  const rows = database.all("SELECT body, crc FROM state");
  const state = rows.length === 1 && rows[0] ? stateOf(rows[0] as { body: unknown; crc: unknown }) : null;
  if (!state) throw damaged(path, "term, vote and bounds of the log are unreadable");
  if (acknowledged === null && state.sequence > 0) throw damaged(path, `${basename(path)}.ack is missing`);
  const missing = (acknowledged ?? 0) - state.sequence;
  if (missing > 0) throw damaged(path, `${missing} of ${acknowledged} acknowledged changes are gone`);
  return state;
}

function readLog(path: string, database: Database, state: StateRow): LogIndex {
  const log = new LogIndex();
  log.restartAt(state.firstIndex);
  let digest = 0;
  for (const row of database.rows("SELECT idx, term, kind, data, crc FROM entry ORDER BY idx")) {
    // The columns are those of the statement; their values are what the checksum covers.
    const entry = entryOf(row as EntryRow);
    const expected = log.lastIndex + 1;
    if (entry?.index !== expected) throw damaged(path, `entry ${expected} of the log is unreadable`);
    log.append(entry);
    digest ^= (row as EntryRow).crc;
  }
  if (log.lastIndex !== state.lastIndex) {
    throw damaged(path, `the log ends at entry ${log.lastIndex}, not at ${state.lastIndex}`);
  }
  if (digest !== state.entryDigest) throw damaged(path, "the log holds entries that had been replaced");
  return log;
}

function checkSnapshot(path: string, database: Database, { snapshot }: StateRow): void {
  let bytes = 0;
  let part = 0;
  for (const row of database.rows("SELECT part, data, crc FROM snapshot_part ORDER BY part")) {
    const data = row["data"];
    const isSound =
      snapshot !== null &&
      row["part"] === part &&
      data instanceof Uint8Array &&
      namedCrc(partName(snapshot, part), data) === row["crc"];
    if (!isSound) throw damaged(path, `part ${part} of the snapshot is unreadable`);
    bytes += data.length;
    part += 1;
  }
  if (bytes !== (snapshot?.bytes ?? 0)) throw damaged(path, `the snapshot has ${bytes} of ${snapshot?.bytes} bytes`);
}

/** Only their names: contents are checked when they are read. */
function readBlobs(path: string, database: Database, state: StateRow): Map<BlobHash, number> {
  const blobs = new Map<BlobHash, number>();
  let digest = 0;
  for (const row of database.rows("SELECT id, hash FROM blob")) {
    const hash = String(row["hash"]);
    digest ^= namedCrc(hash);
    // Names that went in as hashes and whose digest is right.
    blobs.set(hash as BlobHash, Number(row["id"]));
  }
  if (blobs.size !== state.blobCount || digest !== state.blobDigest) {
    throw damaged(path, `the names of ${state.blobCount} blobs are unreadable`);
  }
  return blobs;
}

/** A full disk is no reason not to start: what is there stays readable, and saving will tell. */
function checkpoint(path: string, database: Database): void {
  try {
    database.checkpoint("TRUNCATE");
  } catch (cause) {
    const error = storeError(path, cause);
    if (!(error instanceof StoreError && error.code === "disk-full")) throw error;
  }
}
