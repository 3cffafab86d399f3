/**
 * Tells a torn end of a write-ahead log from damage inside it (format: https://sqlite.org/fileformat2.html#walformat).
 *
 * Frames carry a running checksum and the salts of their log. The store begins a transaction only after the one before was
 * synced and acknowledged. So a crash leaves at most one transaction after the last valid frame; when frames of a second
 * one follow, the first was acknowledged and has been damaged since.
 */

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;

export type WalScan = {
  /** Frames before the first whose checksum is wrong. */
  readonly validFrames: number;
  /** Transactions that left frames after those. */
  readonly lostTransactions: number;
};

/** Nothing is found in what has no valid header: SQLite takes nothing from it either. */
export function scanWal(bytes: Uint8Array): WalScan {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const none: WalScan = { validFrames: 0, lostTransactions: 0 };
  if (bytes.length < HEADER_BYTES || (view.getUint32(0) & ~1) >>> 0 !== MAGIC) return none;
  const isLittleEndian = (view.getUint32(0) & 1) === 0;
  const sum = new Checksum(view, isLittleEndian);
  sum.add(0, 24);
  if (!sum.equalsAt(24)) return none;
  const frameBytes = FRAME_HEADER_BYTES + view.getUint32(8);
  const isOfThisLog = (at: number): boolean =>
    view.getUint32(at + 8) === view.getUint32(16) && view.getUint32(at + 12) === view.getUint32(20);

  let at = HEADER_BYTES;
  for (; at + frameBytes <= bytes.length && isOfThisLog(at); at += frameBytes) {
    sum.add(at, 8);
    sum.add(at + FRAME_HEADER_BYTES, frameBytes - FRAME_HEADER_BYTES);
    if (!sum.equalsAt(at + 16)) break;
  }
  const validFrames = (at - HEADER_BYTES) / frameBytes;
  let lostTransactions = 0;
  let isBetween = true;
  for (; at + frameBytes <= bytes.length; at += frameBytes) {
    if (!isOfThisLog(at)) continue;
    if (isBetween) lostTransactions += 1;
    // A frame that ends a transaction carries the size of the database.
    isBetween = view.getUint32(at + 4) !== 0;
  }
  return { validFrames, lostTransactions };
}

class Checksum {
  readonly #view: DataView;
  readonly #isLittleEndian: boolean;
  #first = 0;
  #second = 0;

  constructor(view: DataView, isLittleEndian: boolean) {
    this.#view = view;
    this.#isLittleEndian = isLittleEndian;
  }

  /** `length` is a multiple of 8. */
  add(start: number, length: number): void {
    const [view, isLittleEndian] = [this.#view, this.#isLittleEndian];
    let [first, second] = [this.#first, this.#second];
    for (let at = start; at < start + length; at += 8) {
      first = (first + view.getUint32(at, isLittleEndian) + second) | 0;
      second = (second + view.getUint32(at + 4, isLittleEndian) + first) | 0;
    }
    this.#first = first;
    this.#second = second;
  }

  equalsAt(at: number): boolean {
    return this.#view.getInt32(at) === this.#first && this.#view.getInt32(at + 4) === this.#second;
  }
}
