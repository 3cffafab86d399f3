import { invariant } from "../kernel/mod.ts";

/*
 * The arena's allocator: two-level segregated fit (Masmano et al., "TLSF: a New Dynamic Memory Allocator for Real-Time
 * Systems", 2004) over one shared memory, guarded by one spin lock, with all state inside the memory.
 *
 * Sizes are counted in units of 64 bytes. The memory is one row of blocks, each with a header of one unit, followed by
 * the "top": what lies above the last block and was never split. A block knows its own and its left neighbour's size,
 * so both neighbours are found and freed ranges always grow together: two free blocks never touch, and a free block
 * never touches the top.
 *
 * Sizes are rounded up to 16 steps a power of two (waste ≤ 1/16) and there is one list a step, so any block in a list
 * at or above the step fits: finding one is two bit scans. Lists of large blocks are kept in address order, so that low
 * memory is used again first and high memory stays untouched; the top is taken only when no free block fits.
 *
 * A thread holds the lock for tens of instructions and never waits in it. Waiting threads spin; one that was attached
 * (a worker) sleeps for short times after a while, the creating thread never does.
 */

const UNIT_BYTES = 64;
const UNIT_SHIFT = 6;

/** Sizes of a power of two are split into so many steps. */
const STEPS = 16;
const STEPS_SHIFT = 4;
/** Powers 2^0 … 2^26 units, as first levels; those below 2^4 share level 0 with a list for each size. */
const LEVEL_COUNT = 24;
const LIST_COUNT = LEVEL_COUNT * STEPS;
/** Blocks of this many units (1 MiB) and more are listed by address. */
const LARGE_UNITS = 16_384;
/** Slack that belongs to each block, past what was asked for. */
const SLACK_BYTES = 64;

const MAGIC = 0x53a6e001;
const ALLOCATED = 0x0a110c8d;
const FREE = 0x0f4eeb10;

// Control words, as indices of 32-bit words from the start of the memory. Word 0 … 15 stay unused: address 0 is "none".
const MAGIC_AT = 16;
const LOCK_AT = 17;
const LIMIT_UNITS_AT = 18;
const IN_USE_AT = 19;
const PEAK_AT = 20;
const TOP_AT = 21;
const TOP_MAX_AT = 22;
const LAST_UNITS_AT = 23;
const END_AT = 24;
const LEVELS_AT = 25;
const STEPS_AT = 32;
const LISTS_AT = STEPS_AT + LEVEL_COUNT;
const OWNERS_AT = 1024;
const FIRST_UNIT = ((OWNERS_AT + 1024) * 4) >>> UNIT_SHIFT;

// Words of a block's header. Links are unit numbers of headers, 0 for none.
const STATE = 0;
const REFERENCES = 1;
const UNITS = 2;
const LEFT_UNITS = 3;
const OWNER = 4;
const NEXT = 5;
const PREVIOUS = 6;
/** Units from here on were never in a block before this one was allocated, so they are zero. */
const ZERO_FROM = 7;

const SPINS_BEFORE_SLEEP = 2_000;
const SLEEP_MS = 0.2;
/** A thread that waits longer (seconds) waits for one that was ended inside the lock. */
const SPINS_MAX = 2 ** 31;
const SLEEPS_MAX = 50_000;

/** Rounds up to a size that has its own list. */
function roundUnits(units: number): number {
  if (units < STEPS * 2) return units;
  const grain = 1 << (31 - Math.clz32(units) - STEPS_SHIFT);
  return (units + grain - 1) & -grain;
}

/** The list that holds free blocks of `units` up to the next step. */
function listOf(units: number): number {
  if (units < STEPS) return units;
  const power = 31 - Math.clz32(units);
  return ((power - STEPS_SHIFT + 1) << STEPS_SHIFT) + ((units >>> (power - STEPS_SHIFT)) & (STEPS - 1));
}

function limitUnitsOf(bytes: number, endUnit: number): number {
  return Math.min(Math.ceil(bytes / UNIT_BYTES), endUnit - FIRST_UNIT);
}

/** Index of the first word of the header at `unit`. */
function word(unit: number): number {
  return unit << 4;
}

export class Heap {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #maySleep: boolean;

  private constructor(words: Int32Array<SharedArrayBuffer>, maySleep: boolean) {
    this.#words = words;
    this.#maySleep = maySleep;
  }

  static create(words: Int32Array<SharedArrayBuffer>, limitBytes: number): Heap {
    const endUnit = words.length / 16;
    words[LIMIT_UNITS_AT] = limitUnitsOf(limitBytes, endUnit);
    words[TOP_AT] = FIRST_UNIT;
    words[TOP_MAX_AT] = FIRST_UNIT;
    words[END_AT] = endUnit;
    Atomics.store(words, MAGIC_AT, MAGIC);
    return new Heap(words, false);
  }

  static attach(words: Int32Array<SharedArrayBuffer>): Heap {
    invariant(Atomics.load(words, MAGIC_AT) === MAGIC, "memory holds no arena");
    return new Heap(words, true);
  }

  /** Address of the payload, 0 when the limit or the address space is used up. */
  allocate(bytes: number, owner: number): number {
    const words = this.#words;
    const needUnits = 1 + Math.ceil((bytes + SLACK_BYTES) / UNIT_BYTES);
    if (needUnits > (words[END_AT] as number)) return 0;
    const units = roundUnits(needUnits);
    this.#lock();
    const inUse = Atomics.load(words, IN_USE_AT) + units;
    if (inUse > (words[LIMIT_UNITS_AT] as number)) return this.#unlock();
    const zeroFrom = words[TOP_MAX_AT] as number;
    const unit = this.#takeFree(units) || this.#takeTop(units);
    if (unit === 0) return this.#unlock();
    const header = word(unit);
    const taken = words[header + UNITS] as number;
    words[header + OWNER] = owner;
    words[header + ZERO_FROM] = zeroFrom;
    words[header + REFERENCES] = 1;
    words[header + STATE] = ALLOCATED;
    const total = inUse - units + taken;
    Atomics.store(words, IN_USE_AT, total);
    if (total > (words[PEAK_AT] as number)) Atomics.store(words, PEAK_AT, total);
    Atomics.add(words, OWNERS_AT + owner, taken);
    this.#unlock();
    return (unit + 1) * UNIT_BYTES;
  }

  retain(address: number): void {
    const header = this.#headerOf(address);
    const before = Atomics.add(this.#words, header + REFERENCES, 1);
    if (before <= 0) invariant(false, `block at ${address} retained after it was freed`);
  }

  release(address: number): void {
    const words = this.#words;
    const header = this.#headerOf(address);
    const before = Atomics.sub(words, header + REFERENCES, 1);
    if (before <= 0) invariant(false, `block at ${address} released too often`);
    if (before > 1) return;
    this.#lock();
    const units = words[header + UNITS] as number;
    Atomics.sub(words, IN_USE_AT, units);
    Atomics.sub(words, OWNERS_AT + (words[header + OWNER] as number), units);
    this.#free(header >>> 4);
    this.#unlock();
  }

  /** Cuts a block's end off, so that at least `bytes` and the slack remain. */
  shrink(address: number, bytes: number): void {
    const words = this.#words;
    const header = this.#headerOf(address);
    const units = roundUnits(1 + Math.ceil((bytes + SLACK_BYTES) / UNIT_BYTES));
    const rest = (words[header + UNITS] as number) - units;
    if (rest < 2) return;
    this.#lock();
    Atomics.sub(words, IN_USE_AT, rest);
    Atomics.sub(words, OWNERS_AT + (words[header + OWNER] as number), rest);
    const unit = header >>> 4;
    const restUnit = unit + units;
    words[header + UNITS] = units;
    words[word(restUnit) + LEFT_UNITS] = units;
    this.#setUnits(restUnit, rest);
    this.#free(restUnit);
    this.#unlock();
  }

  blockBytes(address: number): number {
    return ((this.#words[this.#headerOf(address) + UNITS] as number) - 1) * UNIT_BYTES;
  }

  inUseBytes(): number {
    return Atomics.load(this.#words, IN_USE_AT) * UNIT_BYTES;
  }

  ownerBytes(owner: number): number {
    return Atomics.load(this.#words, OWNERS_AT + owner) * UNIT_BYTES;
  }

  peakBytes(): number {
    return Atomics.load(this.#words, PEAK_AT) * UNIT_BYTES;
  }

  /** May be below what is in use: then nothing more is given until enough was freed. */
  limit(bytes: number): void {
    const words = this.#words;
    Atomics.store(words, LIMIT_UNITS_AT, limitUnitsOf(bytes, words[END_AT] as number));
  }

  limitBytes(): number {
    return (this.#words[LIMIT_UNITS_AT] as number) * UNIT_BYTES;
  }

  /** Nothing at or above this address was ever part of a block. */
  untouchedAddress(): number {
    return Atomics.load(this.#words, TOP_MAX_AT) * UNIT_BYTES;
  }

  /** In a block just allocated, bytes at or above this address are zero. */
  zeroFromAddress(address: number): number {
    return (this.#words[this.#headerOf(address) + ZERO_FROM] as number) * UNIT_BYTES;
  }

  #headerOf(address: number): number {
    const header = (address / UNIT_BYTES - 1) * 16;
    if (this.#words[header + STATE] !== ALLOCATED) {
      invariant(false, `no block starts at ${address}, or it was freed`);
    }
    return header;
  }

  #lock(): void {
    const words = this.#words;
    let sleeps = 0;
    for (let spins = 0; Atomics.compareExchange(words, LOCK_AT, 0, 1) !== 0; spins++) {
      if (this.#maySleep && spins >= SPINS_BEFORE_SLEEP) {
        Atomics.wait(words, LOCK_AT, 1, SLEEP_MS);
        sleeps++;
      }
      invariant(spins < SPINS_MAX && sleeps < SLEEPS_MAX, "a thread ended while it held the allocator's lock");
    }
  }

  /** Returns 0 so that a failing path can end with it. */
  #unlock(): 0 {
    Atomics.store(this.#words, LOCK_AT, 0);
    return 0;
  }

  // Below here the caller holds the lock.

  /** Unit of a free block of at least `units`, cut to size and off its list; 0 for none. */
  #takeFree(units: number): number {
    const words = this.#words;
    const wanted = listOf(units);
    let level = wanted >>> STEPS_SHIFT;
    let steps = (words[STEPS_AT + level] as number) & (-1 << (wanted & (STEPS - 1)));
    if (steps === 0) {
      const levels = (words[LEVELS_AT] as number) & (-2 << level);
      if (levels === 0) return 0;
      level = 31 - Math.clz32(levels & -levels);
      steps = words[STEPS_AT + level] as number;
    }
    const list = (level << STEPS_SHIFT) + (31 - Math.clz32(steps & -steps));
    const unit = words[LISTS_AT + list] as number;
    this.#unlist(unit, list);
    this.#cut(unit, units);
    return unit;
  }

  /** Leaves the first `units` of a block that is on no list; the rest goes to the free lists. */
  #cut(unit: number, units: number): void {
    const words = this.#words;
    const rest = (words[word(unit) + UNITS] as number) - units;
    if (rest < 2) return; // a header and one unit: nothing smaller can be asked for
    words[word(unit) + UNITS] = units;
    const restUnit = unit + units;
    words[word(restUnit) + LEFT_UNITS] = units;
    this.#setUnits(restUnit, rest);
    this.#list(restUnit, rest);
  }

  /** Unit of a new block of `units` at the top; 0 when the address space ends before it. */
  #takeTop(units: number): number {
    const words = this.#words;
    const unit = words[TOP_AT] as number;
    if (unit + units > (words[END_AT] as number)) return 0;
    words[word(unit) + UNITS] = units;
    words[word(unit) + LEFT_UNITS] = words[LAST_UNITS_AT] as number;
    words[LAST_UNITS_AT] = units;
    words[TOP_AT] = unit + units;
    if (unit + units > (words[TOP_MAX_AT] as number)) Atomics.store(words, TOP_MAX_AT, unit + units);
    return unit;
  }

  /** Sets a block's size and tells its right neighbour, or the top. */
  #setUnits(unit: number, units: number): void {
    const words = this.#words;
    words[word(unit) + UNITS] = units;
    const right = unit + units;
    if (right === (words[TOP_AT] as number)) words[LAST_UNITS_AT] = units;
    else words[word(right) + LEFT_UNITS] = units;
  }

  #free(unit: number): void {
    const words = this.#words;
    let start = unit;
    let units = words[word(unit) + UNITS] as number;
    words[word(unit) + STATE] = FREE;
    const right = unit + units;
    if (right !== (words[TOP_AT] as number) && words[word(right) + STATE] === FREE) {
      units += this.#absorb(right);
    }
    const left = unit - (words[word(unit) + LEFT_UNITS] as number);
    if (left !== unit && words[word(left) + STATE] === FREE) {
      units += this.#absorb(left);
      words[word(unit) + STATE] = 0;
      start = left;
    }
    if (start + units === (words[TOP_AT] as number)) {
      words[word(start) + STATE] = 0;
      words[TOP_AT] = start;
      words[LAST_UNITS_AT] = words[word(start) + LEFT_UNITS] as number;
      return;
    }
    this.#setUnits(start, units);
    this.#list(start, units);
  }

  /** Takes a free neighbour off its list and wipes its mark; returns its size. */
  #absorb(unit: number): number {
    const words = this.#words;
    const units = words[word(unit) + UNITS] as number;
    this.#unlist(unit, listOf(units));
    words[word(unit) + STATE] = 0;
    return units;
  }

  #list(unit: number, units: number): void {
    const words = this.#words;
    const list = listOf(units);
    let previous = 0;
    let next = words[LISTS_AT + list] as number;
    if (units >= LARGE_UNITS) {
      while (next !== 0 && next < unit) {
        previous = next;
        next = words[word(next) + NEXT] as number;
      }
    }
    words[word(unit) + STATE] = FREE;
    words[word(unit) + NEXT] = next;
    words[word(unit) + PREVIOUS] = previous;
    if (next !== 0) words[word(next) + PREVIOUS] = unit;
    if (previous !== 0) words[word(previous) + NEXT] = unit;
    else words[LISTS_AT + list] = unit;
    const level = list >>> STEPS_SHIFT;
    words[STEPS_AT + level] = (words[STEPS_AT + level] as number) | (1 << (list & (STEPS - 1)));
    words[LEVELS_AT] = (words[LEVELS_AT] as number) | (1 << level);
  }

  #unlist(unit: number, list: number): void {
    const words = this.#words;
    const next = words[word(unit) + NEXT] as number;
    const previous = words[word(unit) + PREVIOUS] as number;
    if (next !== 0) words[word(next) + PREVIOUS] = previous;
    if (previous !== 0) {
      words[word(previous) + NEXT] = next;
      return;
    }
    words[LISTS_AT + list] = next;
    if (next !== 0) return;
    const level = list >>> STEPS_SHIFT;
    const steps = (words[STEPS_AT + level] as number) & ~(1 << (list & (STEPS - 1)));
    words[STEPS_AT + level] = steps;
    if (steps === 0) words[LEVELS_AT] = (words[LEVELS_AT] as number) & ~(1 << level);
  }
}

invariant(LISTS_AT + LIST_COUNT <= OWNERS_AT, "the allocator's lists overlap the owners' counters");
