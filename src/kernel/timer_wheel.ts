import { invariant } from "./error.ts";
import type { Branded } from "./ids.ts";

/**
 * Hashed hierarchical timing wheel (Varghese and Lauck, *Hashed and Hierarchical Timing Wheels*, 1987, scheme 7).
 *
 * Time is cut into ticks of one millisecond. A timer hangs on the level of the highest base-256 digit in which its tick
 * differs from the wheel's, in the slot of that digit. So all timers of a level expire before any of the next, a slot is
 * reached at the tick where its lower digits are zero, and its timers then move to lower levels (cascade). Level 4 is one
 * list for what differs above 32 bits (49 days).
 *
 * Timers are cells of typed arrays, linked in rings whose first cells are the slots: hanging and cancelling need no search,
 * and a million timers no million objects. One bit a slot finds the next one that is occupied, so that a jump of the clock
 * costs what expires and not what passes.
 */

const SLOT_BITS = 8;
const SLOTS = 1 << SLOT_BITS;
const SLOT_MASK = SLOTS - 1;
const LEVELS = 4;
const SPAN = 2 ** (SLOT_BITS * LEVELS);
/** So many timers of a slot are looked at to tell when the first of them is due: a cascade in between costs a wake. */
const LOOKED_AT_MAX = 8;
/** The ring of timers beyond the span; rings before it are the slots, level by level. */
const FAR_RING = LEVELS * SLOTS;
const FREE_RING = FAR_RING + 1;
const RINGS = FREE_RING + 1;
const WORDS_PER_LEVEL = SLOTS / 32;
/** Ids are `generation * CELLS_MAX + cell`, so that an id is not taken for a later timer in the same cell. */
const CELLS_MAX = 1 << 24;
const GENERATIONS = 2 ** (53 - 24);

/** Timers that one wheel holds at most; its owners limit what they time far below it. */
export const TIMERS_MAX = CELLS_MAX - RINGS;

export type TimerId = Branded<number, "TimerId">;

/**
 * Timers with a value of type `T` each, over a clock that the caller reads. Expiry is in order of the tick (the deadline
 * rounded up to a whole millisecond), and within one tick in order of insertion. Nothing expires before its deadline.
 */
export class TimerWheel<T extends {}> {
  #next = new Int32Array(2048);
  #previous = new Int32Array(2048);
  #tick = new Float64Array(2048);
  #generation = new Uint32Array(2048);
  readonly #values: (T | undefined)[] = [];
  readonly #occupied = new Int32Array(LEVELS * WORDS_PER_LEVEL);
  /** Everything before this tick has expired; timers of this very tick may wait in its slot. */
  #nowTick = 0;
  /** The tick after the span that holds `#nowTick`: timers from there on are far. */
  #spanEnd = SPAN;
  /** While expiring: what is inserted expires after this tick, so that one `advance` ends. */
  #advanceTick: number | null = null;
  #cellCount = RINGS;
  #size = 0;

  constructor(nowMs = 0) {
    invariant(nowMs >= 0 && nowMs < 2 ** 52, `a timer wheel's clock begins at 0 or later, not ${nowMs}`);
    this.#moveTo(Math.floor(nowMs));
    for (let ring = 0; ring < RINGS; ring++) this.#makeEmpty(ring);
  }

  get size(): number {
    return this.#size;
  }

  /** A deadline that has passed expires at the next `advance` to a later tick. */
  insert(deadlineMs: number, value: T): TimerId {
    invariant(Math.abs(deadlineMs) < 2 ** 52, `a timer's deadline is a finite time in milliseconds, not ${deadlineMs}`);
    const cell = this.#takeCell();
    const earliest = (this.#advanceTick ?? this.#nowTick) + 1;
    this.#tick[cell] = Math.max(Math.ceil(deadlineMs), earliest);
    this.#values[cell] = value;
    this.#hang(cell);
    this.#size += 1;
    return ((this.#generation[cell] as number) * CELLS_MAX + cell) as TimerId;
  }

  /** False when it has expired or was cancelled before. */
  cancel(id: TimerId): boolean {
    const cell = id % CELLS_MAX;
    if (!(cell >= RINGS && cell < this.#cellCount)) return false;
    if (this.#generation[cell] !== Math.floor(id / CELLS_MAX) || this.#values[cell] === undefined) return false;
    this.#unhang(cell);
    this.#release(cell);
    return true;
  }

  /** Cancels all. */
  clear(): void {
    for (let ring = 0; ring <= FAR_RING; ring++) {
      for (let cell = this.#first(ring); cell !== ring; cell = this.#first(ring)) {
        this.#unhang(cell);
        this.#release(cell);
      }
    }
  }

  /**
   * When to call `advance` next: at the earliest deadline, or before it where many timers then move to a lower level; null
   * without timers.
   */
  nextDeadlineMs(): number | null {
    const ring = this.#nextRing();
    if (ring === -1) return null;
    const start = this.#startOf(ring);
    return ring < SLOTS ? start : (this.#firstTick(ring) ?? start);
  }

  /**
   * Moves the wheel to `nowMs` without expiring: stops before the first timer that is due. Keeps `nextDeadlineMs` sharp
   * when the wheel has slept.
   */
  catchUp(nowMs: number): void {
    const target = Math.floor(nowMs);
    while (this.#nowTick < target) {
      const ring = this.#nextRing();
      const start = ring === -1 ? Number.POSITIVE_INFINITY : this.#startOf(ring);
      this.#moveTo(Math.max(this.#nowTick, Math.min(start, target)));
      if (start > target || ring < SLOTS) return;
      this.#cascade(ring);
    }
  }

  /**
   * Calls `expire` for every timer whose deadline is `nowMs` or earlier. It may insert (what it inserts expires in a later
   * `advance`) and cancel; when it throws, the rest stays due. A time before the last one changes nothing.
   */
  advance(nowMs: number, expire: (value: T) => void): void {
    invariant(this.#advanceTick === null, "a timer's callback does not advance its own wheel");
    const target = Math.floor(nowMs);
    if (target < this.#nowTick) return;
    this.#advanceTick = target;
    try {
      for (let ring = this.#nextRing(); ring !== -1; ring = this.#nextRing()) {
        const start = this.#startOf(ring);
        if (start > target) break;
        this.#moveTo(start);
        if (ring < SLOTS) this.#expireRing(ring, expire);
        else this.#cascade(ring);
      }
      this.#moveTo(target);
    } finally {
      this.#advanceTick = null;
    }
  }

  #expireRing(ring: number, expire: (value: T) => void): void {
    for (let cell = this.#first(ring); cell !== ring; cell = this.#first(ring)) {
      const value = this.#values[cell] as T;
      this.#unhang(cell);
      this.#release(cell);
      expire(value);
    }
  }

  /** Hangs the timers of a slot whose start was reached where they now belong, in their order. */
  #cascade(ring: number): void {
    let cell = this.#first(ring);
    this.#makeEmpty(ring);
    if (ring < FAR_RING) this.#setOccupied(ring, false);
    while (cell !== ring) {
      const following = this.#first(cell);
      this.#hang(cell);
      cell = following;
    }
  }

  #moveTo(tick: number): void {
    this.#nowTick = tick;
    if (tick >= this.#spanEnd) this.#spanEnd = (Math.floor(tick / SPAN) + 1) * SPAN;
  }

  #ringOf(tick: number): number {
    if (tick >= this.#spanEnd) return FAR_RING;
    // `|` takes a number's lowest 32 bits, whatever its size.
    const low = tick | 0;
    const difference = low ^ (this.#nowTick | 0);
    const level = difference === 0 ? 0 : (31 - Math.clz32(difference)) >>> 3;
    return (level << SLOT_BITS) + ((low >>> (level << 3)) & SLOT_MASK);
  }

  /** The ring that is reached first; -1 without timers. */
  #nextRing(): number {
    for (let level = 0; level < LEVELS; level++) {
      const from = ((this.#nowTick | 0) >>> (level << 3)) & SLOT_MASK;
      const words = level * WORDS_PER_LEVEL;
      let mask = -1 << (from & 31);
      for (let word = from >>> 5; word < WORDS_PER_LEVEL; word++) {
        const bits = (this.#occupied[words + word] as number) & mask;
        if (bits !== 0) return (level << SLOT_BITS) + (word << 5) + (31 - Math.clz32(bits & -bits));
        mask = -1;
      }
    }
    return this.#first(FAR_RING) === FAR_RING ? -1 : FAR_RING;
  }

  /** The first tick of a ring; before it nothing there expires. */
  #startOf(ring: number): number {
    if (ring === FAR_RING) return this.#spanEnd;
    const slotTicks = 2 ** (SLOT_BITS * (ring >>> SLOT_BITS));
    const levelTicks = slotTicks * SLOTS;
    return Math.floor(this.#nowTick / levelTicks) * levelTicks + (ring & SLOT_MASK) * slotTicks;
  }

  /** The earliest deadline of a ring's timers; null when they are many. */
  #firstTick(ring: number): number | null {
    let earliest = Number.POSITIVE_INFINITY;
    let left = LOOKED_AT_MAX;
    for (let cell = this.#first(ring); cell !== ring; cell = this.#first(cell)) {
      if (left-- === 0) return null;
      earliest = Math.min(earliest, this.#tick[cell] as number);
    }
    return earliest;
  }

  #hang(cell: number): void {
    const ring = this.#ringOf(this.#tick[cell] as number);
    const last = this.#previous[ring] as number;
    this.#next[last] = cell;
    this.#previous[cell] = last;
    this.#next[cell] = ring;
    this.#previous[ring] = cell;
    if (ring < FAR_RING) this.#setOccupied(ring, true);
  }

  #unhang(cell: number): void {
    const before = this.#previous[cell] as number;
    const after = this.#first(cell);
    this.#next[before] = after;
    this.#previous[after] = before;
    if (before === after && before < FAR_RING) this.#setOccupied(before, false);
  }

  #takeCell(): number {
    const free = this.#first(FREE_RING);
    if (free !== FREE_RING) {
      this.#next[FREE_RING] = this.#first(free);
      return free;
    }
    invariant(this.#size < TIMERS_MAX, `a timer wheel holds at most ${TIMERS_MAX} timers`);
    if (this.#cellCount === this.#next.length) this.#grow();
    const cell = this.#cellCount++;
    this.#values[cell] = undefined;
    return cell;
  }

  #release(cell: number): void {
    this.#values[cell] = undefined;
    this.#generation[cell] = ((this.#generation[cell] as number) + 1) % GENERATIONS;
    this.#next[cell] = this.#first(FREE_RING);
    this.#next[FREE_RING] = cell;
    this.#size -= 1;
  }

  #grow(): void {
    const length = this.#next.length * 2;
    this.#next = copied(new Int32Array(length), this.#next);
    this.#previous = copied(new Int32Array(length), this.#previous);
    this.#tick = copied(new Float64Array(length), this.#tick);
    this.#generation = copied(new Uint32Array(length), this.#generation);
  }

  #first(ring: number): number {
    return this.#next[ring] as number;
  }

  #makeEmpty(ring: number): void {
    this.#next[ring] = ring;
    this.#previous[ring] = ring;
  }

  #setOccupied(ring: number, isOccupied: boolean): void {
    const bits = this.#occupied[ring >>> 5] as number;
    this.#occupied[ring >>> 5] = isOccupied ? bits | (1 << (ring & 31)) : bits & ~(1 << (ring & 31));
  }
}

function copied<A extends Int32Array | Uint32Array | Float64Array>(target: A, source: A): A {
  target.set(source);
  return target;
}
