import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { crc32 } from "node:zlib";

/**
 * How many changes of a store were acknowledged, in a file beside it.
 *
 * SQLite ends its recovery of a write-ahead log at the first frame whose checksum is wrong. It must, for a torn write looks
 * like that; but damage of a frame that was acknowledged looks the same, and all after it would be gone without a word.
 * This count tells them apart: a database that holds fewer changes than were acknowledged has lost some.
 *
 * It is written after each commit and not synced: that costs 2 µs instead of 100, and survives the death of the process,
 * however it dies. After a power failure it may lag, never lead; what it then leaves open is told by the log's own frames
 * (`wal_scan.ts`). Two slots, written in turn, so that a torn write leaves the older one.
 */

const SLOT_BYTES = 4096;
const RECORD_BYTES = 20;
/** "SAGEACK1" */
const MAGIC = 0x5341474541434b31n;

export class Acknowledged {
  readonly #file: number;
  readonly #record = new DataView(new ArrayBuffer(RECORD_BYTES));

  constructor(path: string) {
    if (existsSync(path)) {
      this.#file = openSync(path, "r+");
      return;
    }
    // Under its name only once it is whole: a start that breaks off here is no damage.
    const temporary = `${path}.tmp`;
    this.#file = openSync(temporary, "w+", 0o600);
    writeSync(this.#file, new Uint8Array(2 * SLOT_BYTES), 0, 2 * SLOT_BYTES, 0);
    this.write(0);
    this.sync();
    renameSync(temporary, path);
    syncDirectory(dirname(path));
  }

  write(sequence: number): void {
    const record = this.#record;
    record.setBigUint64(0, MAGIC);
    record.setBigUint64(8, BigInt(sequence));
    record.setUint32(16, crc32(new Uint8Array(record.buffer, 0, 16)));
    writeSync(this.#file, record, 0, RECORD_BYTES, (sequence % 2) * SLOT_BYTES);
  }

  sync(): void {
    fsyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Null when the file holds no valid count. @throws the operating system's error, as when there is no file */
export function readAcknowledged(path: string): number | null {
  const bytes = readFileSync(path);
  let sequence: number | null = null;
  for (const start of [0, SLOT_BYTES]) {
    if (bytes.length < start + RECORD_BYTES) continue;
    const record = new DataView(bytes.buffer, bytes.byteOffset + start, RECORD_BYTES);
    if (record.getBigUint64(0) !== MAGIC) continue;
    if (record.getUint32(16) !== crc32(bytes.subarray(start, start + 16))) continue;
    sequence = Math.max(sequence ?? 0, Number(record.getBigUint64(8)));
  }
  return sequence;
}

/** A file's name is durable once its directory is. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
