/**
 * The distinct values of a column chunk, in the order they came, as the PLAIN bytes that make the dictionary page. Found
 * by a hash table of open addressing. Once it does not pay (most values differ, or it grew too large) it is closed: pages
 * that were written with it keep it, the following ones are written plainly.
 */
export class ValueDictionary {
  count = 0;
  /** Bytes a value; 0: four bytes of length and the value. */
  private readonly width: number;
  private heap = new Uint8Array(1024);
  private heapBytes = 0;
  private starts = new Int32Array(256);
  private slots = new Int32Array(1024).fill(-1);
  private closed = false;

  constructor(width: number) {
    this.width = width;
  }

  /** The index of each of `count` values; null when they are to be written plainly. */
  indices(plain: Uint8Array, count: number): Int32Array | null {
    if (this.closed) return null;
    const [countBefore, bytesBefore] = [this.count, this.heapBytes];
    const out = new Int32Array(count);
    let at = 0;
    for (let i = 0; i < count; i++) {
      const bytes = this.width === 0 ? 4 + lengthAt(plain, at) : this.width;
      out[i] = this.add(plain, at, bytes);
      at += bytes;
      const pays =
        this.heapBytes <= HEAP_BYTES_MAX && (i !== SAMPLE_VALUES || this.count - countBefore < SAMPLE_DISTINCT_MAX);
      if (pays) continue;
      this.closed = true;
      [this.count, this.heapBytes] = [countBefore, bytesBefore];
      return null;
    }
    return out;
  }

  /** The index of the value in [start, start + bytes). */
  add(plain: Uint8Array, start: number, bytes: number): number {
    if ((this.count + 1) * 2 > this.slots.length) this.rehash();
    const mask = this.slots.length - 1;
    let slot = hashOf(plain, start, bytes) & mask;
    for (;;) {
      const index = this.slots[slot] as number;
      if (index < 0) break;
      if (this.equals(index, plain, { start, bytes })) return index;
      slot = (slot + 1) & mask;
    }
    this.slots[slot] = this.count;
    return this.append(plain, start, bytes);
  }

  get isFull(): boolean {
    return this.closed || this.heapBytes > HEAP_BYTES_MAX;
  }

  /** The dictionary page's body. */
  body(): Uint8Array {
    return this.heap.slice(0, this.heapBytes);
  }

  private append(plain: Uint8Array, start: number, bytes: number): number {
    if (this.heapBytes + bytes > this.heap.length) {
      const heap = new Uint8Array(Math.max(this.heap.length * 2, this.heapBytes + bytes));
      heap.set(this.heap.subarray(0, this.heapBytes));
      this.heap = heap;
    }
    if (this.count === this.starts.length) {
      const starts = new Int32Array(this.starts.length * 2);
      starts.set(this.starts);
      this.starts = starts;
    }
    this.heap.set(plain.subarray(start, start + bytes), this.heapBytes);
    this.starts[this.count] = this.heapBytes;
    this.heapBytes += bytes;
    return this.count++;
  }

  private equals(index: number, plain: Uint8Array, value: { start: number; bytes: number }): boolean {
    const { heap } = this;
    const from = this.starts[index] as number;
    const bytes = (index + 1 < this.count ? (this.starts[index + 1] as number) : this.heapBytes) - from;
    if (bytes !== value.bytes) return false;
    for (let i = 0; i < bytes; i++) if (heap[from + i] !== plain[value.start + i]) return false;
    return true;
  }

  private rehash(): void {
    this.slots = new Int32Array(this.slots.length * 2).fill(-1);
    const mask = this.slots.length - 1;
    for (let index = 0; index < this.count; index++) {
      const from = this.starts[index] as number;
      const end = index + 1 < this.count ? (this.starts[index + 1] as number) : this.heapBytes;
      let slot = hashOf(this.heap, from, end - from) & mask;
      while ((this.slots[slot] as number) >= 0) slot = (slot + 1) & mask;
      this.slots[slot] = index;
    }
  }
}

const HEAP_BYTES_MAX = 1 << 20;
/** Of so many values of a page, at most so many may be new for the dictionary to pay. */
const SAMPLE_VALUES = 4096;
const SAMPLE_DISTINCT_MAX = 3072;

function lengthAt(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
}

function hashOf(bytes: Uint8Array, start: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < start + length; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  // The low bits choose the slot.
  return hash ^ (hash >>> 15);
}
