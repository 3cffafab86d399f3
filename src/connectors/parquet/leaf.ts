import type { Address, Arena, OwnerId } from "../../arrow/mod.ts";
import type { Compression, ReadHandle } from "../../kernel/mod.ts";
import { isUtf8 } from "../utf8.ts";
import { type Dictionary, type Entries, LeafFill, type TextDictionary } from "./fill.ts";
import type { ColumnChunk } from "./footer.ts";
import { decodeBitPackedLevels, decodeHybrid, type HybridRun, inputOf, isOneRun } from "./hybrid.ts";
import { gatherKernels, hybridKernel, KERNEL_BIT_WIDTH_MAX } from "./kernels.ts";
import { ChunkPages, type PageHeader, type PageMemory } from "./pages.ts";
import type { LeafShape } from "./schema.ts";
import { Scratch } from "./scratch.ts";
import { decodeValues, ENCODING, type LeafLayout, layoutOf, type PageValues } from "./values.ts";

const PAGE_VALUES_MAX = 1 << 28;

/** Levels of the entries that a read gave, for `assemble.ts`. */
export class Levels {
  length = 0;
  definition = new Uint8Array(1024);
  repetition = new Uint8Array(1024);

  add(definition: Uint8Array | number, repetition: Uint8Array | null, count: number): void {
    this.reserve(this.length + count);
    if (typeof definition === "number") this.definition.fill(definition, this.length, this.length + count);
    else this.definition.set(definition.subarray(0, count), this.length);
    if (repetition === null) this.repetition.fill(0, this.length, this.length + count);
    else this.repetition.set(repetition.subarray(0, count), this.length);
    this.length += count;
  }

  private reserve(length: number): void {
    if (length <= this.definition.length) return;
    const next = Math.max(length, this.definition.length * 2);
    const [definition, repetition] = [new Uint8Array(next), new Uint8Array(next)];
    definition.set(this.definition);
    repetition.set(this.repetition);
    this.definition = definition;
    this.repetition = repetition;
  }
}

interface Page {
  readonly values: PageValues;
  /** null: every entry is at the leaf's highest level. */
  readonly definition: Uint8Array | null;
  /** null: every entry starts a row. */
  readonly repetition: Uint8Array | null;
  readonly levelCount: number;
}

export interface LeafParts {
  readonly handle: ReadHandle;
  readonly chunk: ColumnChunk;
  readonly shape: LeafShape;
  readonly compression: Compression;
  readonly arena: Arena;
  readonly owner: OwnerId;
}

/** Reads one column chunk from its start, some rows at a time. Throws RangeError and codec errors on damaged data. */
export class LeafReader {
  private readonly parts: LeafParts;
  private readonly layout: LeafLayout;
  private readonly pages: ChunkPages;
  private dictionary: Dictionary | null = null;
  private page: Page | null = null;
  /** In the page: next level, next value. */
  private level = 0;
  private value = 0;
  private valuesSeen = 0;
  /** A page as it is in the file, decompressed, and its indices as int32. */
  private readonly memory: PageMemory;
  private readonly unpacked: Scratch;

  constructor(parts: LeafParts) {
    this.parts = parts;
    this.layout = layoutOf(parts.shape);
    if (parts.chunk.physical !== parts.shape.element.physical)
      throw new RangeError("a chunk's type is not its column's");
    this.pages = new ChunkPages(parts.handle, parts.chunk, parts.compression);
    const scratch = () => new Scratch(parts.arena, parts.owner);
    this.memory = { arena: parts.arena, body: scratch(), packed: scratch() };
    this.unpacked = scratch();
  }

  newFill(): LeafFill {
    const { arena, owner, shape } = this.parts;
    return new LeafFill({ arena, owner, shape, layout: this.layout });
  }

  /** Appends exactly `rows` rows to `fill`; their levels to `levels` when given. */
  read(rows: number, fill: LeafFill, levels: Levels | null): void {
    if (this.parts.shape.repetitionLevel === 0) fill.reserve(fill.length + rows);
    let done = 0;
    while (done < rows) {
      const page = this.currentPage();
      const { taken, starts } = this.extent(page, rows - done, done > 0);
      this.take(page, taken, fill, levels);
      done += starts;
    }
    if (this.parts.shape.repetitionLevel > 0) this.takeRestOfRow(fill, levels);
  }

  /** Before anything was read: goes on at a page, whose first row is the next one then. Reads the dictionary. */
  startAt(offset: number): void {
    const header = this.pages.nextHeader();
    if (header?.kind === "dictionary") this.dictionary = this.loadDictionary(header);
    this.pages.seek(offset);
  }

  /** Moves past `rows` rows; pages without one wanted are not decompressed. */
  skip(rows: number): void {
    let left = rows;
    while (left > 0) {
      if (this.page === null && this.parts.shape.repetitionLevel === 0) {
        left -= this.skipPages(left);
        if (left === 0) return;
      }
      const page = this.currentPage();
      const { taken, starts } = this.extent(page, left, true);
      this.advance(page, taken);
      left -= starts;
      if (left === 0 && this.parts.shape.repetitionLevel > 0) this.skipRestOfRow();
    }
  }

  private skipPages(rows: number): number {
    let skipped = 0;
    for (;;) {
      const header = this.nextDataHeader();
      if (skipped + header.valueCount > rows) {
        this.loadPage(header);
        return skipped;
      }
      this.pages.skip(header);
      this.valuesSeen += header.valueCount;
      skipped += header.valueCount;
      if (skipped === rows) return skipped;
    }
  }

  /** How many levels of the page belong to the next `rows` rows, and how many rows start in them. */
  private extent(page: Page, rows: number, _inside: boolean): { taken: number; starts: number } {
    const left = page.levelCount - this.level;
    if (page.repetition === null) {
      const taken = Math.min(left, rows);
      return { taken, starts: taken };
    }
    let starts = 0;
    let at = this.level;
    for (; at < page.levelCount; at++) {
      if (page.repetition[at] !== 0) continue;
      if (starts === rows) break;
      starts++;
    }
    return { taken: at - this.level, starts };
  }

  /** A row of a repeated column may go on in the next page. */
  private takeRestOfRow(fill: LeafFill, levels: Levels | null): void {
    while (this.page === null && this.valuesSeen < this.parts.chunk.valueCount) {
      const page = this.currentPage();
      const taken = continuation(page);
      if (taken === 0) return;
      this.take(page, taken, fill, levels);
    }
  }

  private skipRestOfRow(): void {
    while (this.page === null && this.valuesSeen < this.parts.chunk.valueCount) {
      const page = this.currentPage();
      const taken = continuation(page);
      if (taken === 0) return;
      this.advance(page, taken);
    }
  }

  private take(page: Page, taken: number, fill: LeafFill, levels: Levels | null): void {
    const { shape } = this.parts;
    const definition = page.definition?.subarray(this.level, this.level + taken) ?? null;
    const repetition = page.repetition?.subarray(this.level, this.level + taken) ?? null;
    const entries = entriesOf(shape, { definition, taken, valueStart: this.value });
    fill.append(page.values, this.dictionary, entries);
    levels?.add(definition ?? shape.definedLevel, repetition, taken);
    this.moveOn(page, taken, entries.valueCount);
  }

  private advance(page: Page, taken: number): void {
    const definition = page.definition?.subarray(this.level, this.level + taken) ?? null;
    const entries = entriesOf(this.parts.shape, { definition, taken, valueStart: this.value });
    this.moveOn(page, taken, entries.valueCount);
  }

  private moveOn(page: Page, taken: number, values: number): void {
    this.level += taken;
    this.value += values;
    if (this.level === page.levelCount) this.page = null;
  }

  private currentPage(): Page {
    while (this.page === null) this.loadPage(this.nextDataHeader());
    return this.page;
  }

  private nextDataHeader(): PageHeader {
    for (;;) {
      const header = this.pages.nextHeader();
      if (header === null) throw new RangeError("a column chunk has fewer rows than its row group");
      if (header.valueCount > PAGE_VALUES_MAX) throw new RangeError(`a page of ${header.valueCount} values`);
      if (header.kind === "data") return header;
      if (this.dictionary !== null) throw new RangeError("a column chunk has two dictionaries");
      this.dictionary = this.loadDictionary(header);
    }
  }

  private loadDictionary(header: PageHeader): Dictionary {
    const { shape } = this.parts;
    const bytes = this.pages.body(header, this.memory);
    const encoding = header.encoding === ENCODING.plainDictionary ? ENCODING.plain : header.encoding;
    const values = decodeValues(shape, this.layout, { bytes, encoding, count: header.valueCount });
    if (values.kind === "indices") throw new RangeError("a dictionary of indices");
    if (values.kind === "fixed") return this.fixedDictionary(values);
    checkUtf8(shape, values);
    return { kind: "text", text: this.textDictionary(values), count: values.count };
  }

  private fixedDictionary(values: Extract<PageValues, { kind: "fixed" }>): Dictionary {
    const { arena, owner } = this.parts;
    const bytes = values.bytes.subarray(0, values.count * values.width);
    const address = arena.allocate(bytes.length, owner);
    arena.u8.set(bytes, address);
    return { kind: "fixed", address, bytes: new Uint8Array(arena.buffer, address, bytes.length), count: values.count };
  }

  private textDictionary(values: PageValues): TextDictionary {
    const fill = this.newFill();
    try {
      fill.append(values, null, { valueStart: 0, valueCount: values.count, entryCount: values.count, present: null });
      return finishDictionary(fill);
    } catch (cause) {
      fill.abort();
      throw cause;
    }
  }

  private loadPage(header: PageHeader): void {
    const { shape } = this.parts;
    const body = this.pages.body(header, this.memory);
    const levelCount = header.valueCount;
    const { definition, repetition, start } = readLevels(shape, header, body);
    const count = definition === null ? levelCount : countEqual(definition, shape.definedLevel);
    const bytes = body.subarray(start);
    this.page =
      levelCount === 0 ? null : { values: this.pageValues(header, bytes, count), definition, repetition, levelCount };
    this.level = 0;
    this.value = 0;
    this.valuesSeen += levelCount;
  }

  private pageValues(header: PageHeader, bytes: Uint8Array, count: number): PageValues {
    const { encoding } = header;
    if (encoding === ENCODING.rleDictionary || encoding === ENCODING.plainDictionary) {
      return { kind: "indices", indices: this.indices(bytes, count), count };
    }
    const values = decodeValues(this.parts.shape, this.layout, { bytes, encoding, count });
    if (values.kind === "bytes") checkUtf8(this.parts.shape, values);
    return values;
  }

  private indices(bytes: Uint8Array, count: number): Int32Array {
    if (count === 0) return new Int32Array(0);
    const { dictionary } = this;
    const { arena } = this.parts;
    if (dictionary === null) throw new RangeError("a page needs a dictionary that is not there");
    const bitWidth = bytes[0];
    if (bitWidth === undefined) throw new RangeError("dictionary indices are cut off");
    if (bitWidth > KERNEL_BIT_WIDTH_MAX) throw new RangeError(`dictionary indices of ${bitWidth} bits`);
    // The body stands in the arena.
    const source = bytes.byteOffset;
    const target = this.unpacked.take(count * 4);
    const failed = hybridKernel(arena, bitWidth).decode(source + 1, source + bytes.length, target, count);
    if (failed !== 0) throw new RangeError("dictionary indices are damaged");
    const highest = gatherKernels(arena).highest(target, count) >>> 0;
    if (highest >= dictionary.count) throw new RangeError(`index ${highest} in a dictionary of ${dictionary.count}`);
    return new Int32Array(arena.buffer, target, count);
  }

  /** Frees the dictionary; batches keep their own references. */
  close(): void {
    const { arena } = this.parts;
    if (this.dictionary?.kind === "text") for (const block of this.dictionary.text.blocks) arena.release(block);
    else if (this.dictionary !== null) arena.release(this.dictionary.address);
    for (const scratch of [this.memory.body, this.memory.packed, this.unpacked]) scratch.close();
    this.dictionary = null;
    this.page = null;
  }
}

function finishDictionary(fill: LeafFill): TextDictionary {
  const { column, blocks } = fill.finish();
  return { column, blocks: blocks as readonly Address[] };
}

/** Levels at the page's start that belong to a row that began before it. */
function continuation(page: Page): number {
  if (page.repetition === null) return 0;
  let taken = 0;
  while (taken < page.levelCount && page.repetition[taken] !== 0) taken++;
  return taken;
}

function entriesOf(
  shape: LeafShape,
  part: { definition: Uint8Array | null; taken: number; valueStart: number },
): Entries {
  const { definition, taken, valueStart } = part;
  if (definition === null) return { valueStart, valueCount: taken, entryCount: taken, present: null };
  const { definedLevel, entryLevel } = shape;
  if (definedLevel === 1 && entryLevel === 0) {
    const valueCount = countEqual(definition, 1);
    return { valueStart, valueCount, entryCount: taken, present: valueCount === taken ? null : definition };
  }
  const present = new Uint8Array(taken);
  let [entryCount, valueCount] = [0, 0];
  for (let i = 0; i < taken; i++) {
    const level = definition[i] as number;
    if (level < entryLevel) continue;
    const there = level === definedLevel ? 1 : 0;
    present[entryCount++] = there;
    valueCount += there;
  }
  return { valueStart, valueCount, entryCount, present: valueCount === entryCount ? null : present };
}

interface PageLevels {
  readonly definition: Uint8Array | null;
  readonly repetition: Uint8Array | null;
  /** Where the values start in the body. */
  readonly start: number;
}

function readLevels(shape: LeafShape, header: PageHeader, body: Uint8Array): PageLevels {
  const input = inputOf(body);
  const count = header.valueCount;
  let position = 0;
  const read = (highest: number, bytes: number, encoding: number): Uint8Array | null => {
    const run = { bitWidth: 32 - Math.clz32(highest), count };
    if (header.version === 2) {
      const from = position;
      position += bytes;
      return highest === 0 ? null : levelsIn(input, { ...run, start: from, end: position }, highest);
    }
    if (highest === 0) return null;
    if (encoding === ENCODING.bitPacked) {
      const packed = new Uint8Array(count);
      position += decodeBitPackedLevels(body, { ...run, start: position, end: body.length }, packed);
      return packed;
    }
    if (encoding !== ENCODING.rle) throw new RangeError(`encoding ${encoding} is not known for levels`);
    if (position + 4 > body.length) throw new RangeError("page levels are cut off");
    const start = position + 4;
    position = start + input.view.getUint32(position, true);
    if (position > body.length) throw new RangeError("page levels are cut off");
    return levelsIn(input, { ...run, start, end: position }, highest);
  };
  const repetition = read(shape.repetitionLevel, header.repetitionBytes, header.repetitionEncoding);
  const definition = read(shape.definedLevel, header.definitionBytes, header.definitionEncoding);
  return {
    definition,
    repetition: shape.repetitionLevel === 0 ? null : (repetition ?? constant(count, shape.repetitionLevel)),
    start: position,
  };
}

function constant(count: number, value: number): Uint8Array {
  return new Uint8Array(count).fill(value);
}

/** null when every level is the highest. */
function levelsIn(input: ReturnType<typeof inputOf>, run: HybridRun, highest: number): Uint8Array | null {
  if (run.count === 0) return null;
  if (isOneRun(input, run, highest)) return null;
  const levels = new Uint8Array(run.count);
  decodeHybrid(input, run, levels);
  for (let i = 0; i < levels.length; i++)
    if ((levels[i] as number) > highest) throw new RangeError("a level is too high");
  return levels;
}

function countEqual(levels: Uint8Array, value: number): number {
  let count = 0;
  for (let i = 0; i < levels.length; i++) if (levels[i] === value) count++;
  return count;
}

function checkUtf8(shape: LeafShape, values: Extract<PageValues, { kind: "bytes" }>): void {
  if (shape.type.kind !== "utf8") return;
  const { bytes, starts, ends, count } = values;
  for (let i = 0; i < count; i++) {
    if (!isUtf8(bytes, starts[i] as number, ends[i] as number)) throw new RangeError("a text is not valid UTF-8");
  }
}
