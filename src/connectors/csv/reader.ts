import { type Address, type Batch, type Column, type Field, releaseBatch, typeName } from "../../arrow/mod.ts";
import type { CsvSourceOptions } from "../../stream/mod.ts";
import { BadRows } from "../bad_rows.ts";
import type { SourceContext, SourceRequest, SplitReader } from "../contract.ts";
import { asConnectorError, ConnectorError } from "../error.ts";
import { openFile } from "../files.ts";
import { gzipInput, spanInput, type TextInput } from "../text_input.ts";
import { convertColumn } from "./convert.ts";
import { CR, type Dialect, LF } from "./dialect.ts";
import { type BadRow, cutRows, END_MASK, type FieldTable, type Window } from "./rows.ts";
import { scannerFor } from "./scan.ts";
import type { CsvPart, CsvSplitData } from "./source.ts";

const WINDOW_BYTES = 1 << 20;
/** A row must fit the window; the window grows up to this. */
const ROW_BYTES_MAX = 1 << 28;
/** Room for the line break that ends a file without one. */
const MARGIN_BYTES = 64;
const SHOWN_CHARACTERS_MAX = 60;

interface ReaderParts {
  readonly data: CsvSplitData;
  readonly dialect: Dialect;
  readonly options: CsvSourceOptions;
  readonly request: SourceRequest;
  readonly context: SourceContext;
}

/** A window over a part of a file, in the arena. */
interface OpenPart {
  readonly part: CsvPart;
  readonly input: TextInput;
  window: Window;
  /** Bytes of the part before the window. */
  before: number;
  /** Line breaks before the window, counted only for gzip: else they are counted when one must be named. */
  linesBefore: number;
  ended: boolean;
}

export class CsvReader implements SplitReader {
  private readonly parts: ReaderParts;
  private readonly badRows: BadRows;
  private readonly fields: readonly Field[];
  private next = 0;
  private open: OpenPart | null = null;
  private capacity = WINDOW_BYTES;
  private buffer: Address = 0;
  private events: Address = 0;
  private tableBlock: Address = 0;
  private table: FieldTable | null = null;
  private rowsRead = 0;
  private closed = false;

  constructor(parts: ReaderParts) {
    this.parts = parts;
    this.badRows = new BadRows(parts.options.onBadRow, parts.context.disk);
    const columns = parts.data.parts[0]?.columns ?? [];
    this.fields = columns.map(({ name, type }) => ({ name, type, nullable: true }));
  }

  read(maxRows: number): Batch | null | Promise<Batch | null> {
    for (;;) {
      if (this.closed || this.parts.context.signal.aborted) return null;
      if (this.open === null && !this.openNext()) {
        this.badRows.finish();
        return null;
      }
      const batch = this.cut(this.open as OpenPart, maxRows);
      if (batch !== null) return batch;
      const filled = this.refill(this.open as OpenPart);
      if (filled !== undefined) return filled.then(() => this.read(maxRows));
    }
  }

  position(): unknown {
    return { rows: this.rowsRead };
  }

  skippedRows(): number {
    return this.badRows.count;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    void this.open?.input.close();
    this.open = null;
    this.badRows.abort();
    for (const block of [this.buffer, this.events, this.tableBlock])
      if (block !== 0) this.parts.context.arena.release(block);
    this.buffer = this.events = this.tableBlock = 0;
  }

  private openNext(): boolean {
    const part = this.parts.data.parts[this.next++];
    if (part === undefined) return false;
    const { disk, compression, arena, owner } = this.parts.context;
    const handle = openFile(disk, part.path);
    const input = part.gzip ? gzipInput(handle, compression, part.start) : spanInput(handle, part.start, part.end);
    if (this.buffer === 0) {
      this.buffer = arena.allocate(this.capacity + MARGIN_BYTES, owner);
      this.events = arena.allocate((this.capacity + 1) * 4, owner);
    }
    const window = this.newWindow(0, { last: false, eventCount: 0 });
    this.open = { part, input, window, before: 0, linesBefore: 0, ended: false };
    return true;
  }

  private newWindow(length: number, facts: { last: boolean; eventCount: number }): Window {
    const { buffer } = this.parts.context.arena;
    const bytes = new Uint8Array(buffer, this.buffer, this.capacity + MARGIN_BYTES);
    const events = new Int32Array(buffer, this.events, this.capacity + 1);
    return { bytes, length, events, ...facts, event: 0, position: 0 };
  }

  /** Moves what is left to the front and reads on. Ends the part when there is nothing more. */
  private refill(open: OpenPart): Promise<void> | undefined {
    const { window } = open;
    if (open.ended) {
      void open.input.close();
      this.open = null;
      return undefined;
    }
    if (open.part.gzip) open.linesBefore += countLines(window.bytes, window.position);
    const left = window.length - window.position;
    window.bytes.copyWithin(0, window.position, window.length);
    open.before += window.position;
    if (left === this.capacity) this.growWindow(open, left);
    const bytes = new Uint8Array(this.parts.context.arena.buffer, this.buffer, this.capacity);
    const got = this.guard(open, () => open.input.read(bytes.subarray(left)));
    if (typeof got === "number") return this.filled(open, left, got);
    return got.then(
      (count) => this.filled(open, left, count),
      (cause: unknown) => this.guard(open, () => rethrow(cause)),
    );
  }

  private guard<T>(open: OpenPart, step: () => T): T {
    try {
      return step();
    } catch (cause) {
      throw asConnectorError(cause, "corrupt", () => `Cannot read ${open.part.path}`);
    }
  }

  private filled(open: OpenPart, left: number, got: number): undefined {
    const { arena } = this.parts.context;
    const length = left + got;
    open.ended = got === 0;
    const scanner = scannerFor(arena.memory, this.parts.dialect);
    let eventCount = scanner.scan(this.buffer, length, this.events);
    if (open.ended && length > 0) {
      arena.u8[this.buffer + length] = LF;
      arena.i32[(this.events >>> 2) + eventCount++] = length;
    }
    open.window = this.newWindow(length, { last: open.ended, eventCount });
    return undefined;
  }

  private growWindow(open: OpenPart, left: number): void {
    if (this.capacity >= ROW_BYTES_MAX) {
      const place = this.where(open, 0);
      throw new ConnectorError(
        "badRow",
        `${place}: the row is longer than ${ROW_BYTES_MAX} bytes; is a quote not closed?`,
      );
    }
    const { arena, owner } = this.parts.context;
    const capacity = this.capacity * 4;
    const buffer = arena.allocate(capacity + MARGIN_BYTES, owner);
    arena.u8.copyWithin(buffer, this.buffer, this.buffer + left);
    arena.release(this.buffer);
    this.buffer = buffer;
    arena.release(this.events);
    this.events = 0;
    this.events = arena.allocate((capacity + 1) * 4, owner);
    this.capacity = capacity;
  }

  private tableFor(width: number, maxRows: number): FieldTable {
    const rows = Math.max(1, Math.min(maxRows, Math.floor((this.capacity + 1) / width)));
    if (this.table !== null && this.table.width === width && this.table.rowStarts.length >= rows) return this.table;
    const { arena, owner } = this.parts.context;
    if (this.tableBlock !== 0) arena.release(this.tableBlock);
    this.tableBlock = 0;
    const fields = rows * width;
    this.tableBlock = arena.allocate((2 * fields + rows + 2) * 4, owner);
    const view = (at: number, length: number) => new Int32Array(arena.buffer, this.tableBlock + at * 4, length);
    const table = {
      width,
      starts: view(0, fields),
      ends: view(fields, fields),
      rowStarts: view(2 * fields, rows),
      progress: view(2 * fields + rows, 2),
      rows: 0,
    };
    this.table = table;
    return table;
  }

  private cut(open: OpenPart, maxRows: number): Batch | null {
    const { window, part } = open;
    const table = this.tableFor(part.width, maxRows);
    for (;;) {
      const bad: BadRow[] = [];
      const complete = cutRows(window, this.parts.dialect, table, {
        arena: this.parts.context.arena,
        maxRows: Math.min(maxRows, table.rowStarts.length),
        bad,
      });
      if (!complete && window.last && window.position < window.length) {
        bad.push({ start: window.position, end: window.length, reason: "a quote is not closed" });
        window.position = window.length;
        window.event = window.eventCount;
      }
      for (const row of bad) this.dropRow(open, row);
      if (table.rows === 0) {
        if (bad.length > 0 && complete && window.position < window.length) continue;
        return null;
      }
      const batch = this.convert(open, table);
      if (batch.rowCount > 0) return batch;
      releaseBatch(this.parts.context.arena, batch);
    }
  }

  private dropRow(open: OpenPart, row: BadRow): void {
    this.badRows.add({
      where: () => this.where(open, row.start),
      reason: () => row.reason,
      line: () => open.window.bytes.slice(row.start, row.end),
    });
  }

  /** Converts all columns; rows with a field that does not fit are dropped first, then it is done again. */
  private convert(open: OpenPart, table: FieldTable): Batch {
    const { arena, owner } = this.parts.context;
    for (;;) {
      const blocks: Address[] = [];
      try {
        const bad = new Set<number>();
        const columns: Column[] = [];
        for (const { name, index, type } of open.part.columns) {
          const failed: number[] = [];
          const context = {
            arena,
            owner,
            bytes: open.window.bytes,
            table,
            dialect: this.parts.dialect,
            bad: failed,
            blocks,
          };
          columns.push(convertColumn(context, index, type));
          for (const row of failed) {
            if (!bad.has(row))
              this.dropField(open, { table, row, index, what: `column "${name}"`, type: typeName(type) });
            bad.add(row);
          }
        }
        if (bad.size === 0) {
          this.rowsRead += table.rows;
          return { schema: { fields: this.fields }, rowCount: table.rows, columns, blocks };
        }
        removeRows(table, bad);
      } catch (cause) {
        for (const block of blocks) arena.release(block);
        throw cause;
      }
      for (const block of blocks) arena.release(block);
    }
  }

  private dropField(
    open: OpenPart,
    field: { table: FieldTable; row: number; index: number; what: string; type: string },
  ): void {
    const { table, row, index } = field;
    const start = table.rowStarts[row] as number;
    const at = row * table.width + index;
    this.badRows.add({
      where: () => this.where(open, start),
      reason: () => {
        const bytes = open.window.bytes.slice(table.starts[at] as number, (table.ends[at] as number) & END_MASK);
        const text = new TextDecoder().decode(bytes).slice(0, SHOWN_CHARACTERS_MAX);
        return `${field.what}: ${JSON.stringify(text)} is not ${field.type}`;
      },
      line: () =>
        open.window.bytes.slice(
          start,
          lineEnd(open.window, (table.ends[row * table.width + table.width - 1] as number) & END_MASK),
        ),
    });
  }

  private where(open: OpenPart, at: number): string {
    const { part, window, before, linesBefore } = open;
    const here = countLines(window.bytes, at);
    const first = part.gzip ? this.linesOf(part, part.start) + linesBefore : this.linesOf(part, part.start + before);
    return `Cannot read ${part.path}: line ${first + here + 1}`;
  }

  /** Line breaks before byte `end` of the file, read again: only to name a line. */
  private linesOf(part: CsvPart, end: number): number {
    if (part.gzip) return this.parts.options.skipRows + (this.parts.options.header ? 1 : 0);
    const handle = openFile(this.parts.context.disk, part.path);
    try {
      const chunk = new Uint8Array(WINDOW_BYTES);
      let lines = 0;
      for (let at = 0; at < end; at += chunk.length) {
        lines += countLines(chunk, handle.readAt(at, chunk, Math.min(chunk.length, end - at)));
      }
      return lines;
    } finally {
      handle.close();
    }
  }
}

function rethrow(cause: unknown): never {
  throw cause;
}

function lineEnd(window: Window, from: number): number {
  let at = from;
  while (at < window.length && window.bytes[at] !== LF && window.bytes[at] !== CR) at++;
  return at;
}

function countLines(bytes: Uint8Array, end: number): number {
  let lines = 0;
  for (let i = 0; i < end; i++) {
    const byte = bytes[i];
    if (byte === LF || (byte === CR && i + 1 < end && bytes[i + 1] !== LF)) lines++;
  }
  return lines;
}

function removeRows(table: FieldTable, bad: ReadonlySet<number>): void {
  const { width, starts, ends, rowStarts } = table;
  let kept = 0;
  for (let row = 0; row < table.rows; row++) {
    if (bad.has(row)) continue;
    starts.copyWithin(kept * width, row * width, row * width + width);
    ends.copyWithin(kept * width, row * width, row * width + width);
    rowStarts[kept++] = rowStarts[row] as number;
  }
  table.rows = kept;
}
