import {
  ArrowError,
  type Batch,
  BatchBuilder,
  type CellInput,
  type DataType,
  MemoryLimitError,
} from "../../arrow/mod.ts";
import type { JsonSourceOptions } from "../../stream/mod.ts";
import { BadRows } from "../bad_rows.ts";
import type { SourceContext, SplitReader } from "../contract.ts";
import { asConnectorError, ConnectorError } from "../error.ts";
import { openFile } from "../files.ts";
import { gzipInput, spanInput, type TextInput } from "../text_input.ts";
import { JsonCursor, JsonError } from "./parse.ts";
import type { JsonPart, JsonSplitData } from "./source.ts";

const WINDOW_BYTES = 1 << 20;
/** A row must fit the window; the window grows up to this. */
const ROW_BYTES_MAX = 1 << 28;

interface OpenPart {
  readonly part: JsonPart;
  readonly input: TextInput;
  length: number;
  position: number;
  /** Bytes of the file before the window. */
  before: number;
  /** Rows and lines seen in the part, for messages. */
  rows: number;
  lines: number;
  ended: boolean;
  /** In an array: its closing bracket was seen. */
  closed: boolean;
}

export class JsonReader implements SplitReader {
  private readonly data: JsonSplitData;
  private readonly context: SourceContext;
  private readonly badRows: BadRows;
  private readonly cursor = new JsonCursor();
  private readonly fields: ReadonlyMap<string, { readonly index: number; readonly type: DataType }>;
  private bytes = new Uint8Array(WINDOW_BYTES);
  private builder: BatchBuilder | null = null;
  private next = 0;
  private open: OpenPart | null = null;
  private rowsRead = 0;
  private closed = false;

  constructor(data: JsonSplitData, options: JsonSourceOptions, context: SourceContext) {
    this.data = data;
    this.context = context;
    this.badRows = new BadRows(options.onBadRow, context.disk);
    this.fields = new Map(data.schema.fields.map((field, index) => [field.name, { index, type: field.type }]));
  }

  read(maxRows: number): Batch | null | Promise<Batch | null> {
    for (;;) {
      if (this.closed || this.context.signal.aborted) return null;
      if (this.open === null && !this.openNext()) return this.finish();
      const open = this.open as OpenPart;
      this.builder ??= new BatchBuilder(this.context.arena, this.data.schema, this.context.owner, maxRows);
      this.rowsOf(open, this.builder, maxRows);
      if (this.builder.rowCount >= maxRows) return this.take();
      const filled = this.refill(open);
      if (filled !== undefined) return filled.then(() => this.read(maxRows));
    }
  }

  private finish(): Batch | null {
    if (this.builder !== null && this.builder.rowCount > 0) return this.take();
    this.badRows.finish();
    return null;
  }

  private take(): Batch {
    const batch = (this.builder as BatchBuilder).finish();
    this.builder = null;
    this.rowsRead += batch.rowCount;
    return batch;
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
    this.builder?.abort();
    this.builder = null;
    this.badRows.abort();
  }

  private openNext(): boolean {
    const part = this.data.parts[this.next++];
    if (part === undefined) return false;
    const { disk, compression } = this.context;
    const handle = openFile(disk, part.path);
    const input = part.gzip ? gzipInput(handle, compression, part.start) : spanInput(handle, part.start, part.end);
    const before = part.start;
    this.open = { part, input, length: 0, position: 0, before, rows: 0, lines: 0, ended: false, closed: false };
    return true;
  }

  /** Moves what is left to the front and reads on; ends the part when there is nothing more. */
  private refill(open: OpenPart): Promise<void> | undefined {
    if (open.ended) {
      if (open.part.array && !open.closed) throw this.corrupt(open, "its array is not closed");
      void open.input.close();
      this.open = null;
      return undefined;
    }
    const left = open.length - open.position;
    if (left === this.bytes.length) {
      if (left >= ROW_BYTES_MAX) throw this.corrupt(open, `a row is longer than ${ROW_BYTES_MAX} bytes`);
      const larger = new Uint8Array(this.bytes.length * 4);
      larger.set(this.bytes.subarray(open.position, open.length));
      this.bytes = larger;
    } else this.bytes.copyWithin(0, open.position, open.length);
    open.before += open.position;
    open.position = 0;
    open.length = left;
    const failed = (cause: unknown) => asConnectorError(cause, "corrupt", () => `Cannot read ${open.part.path}`);
    const filled = (count: number) => {
      open.length = left + count;
      open.ended = count === 0;
    };
    try {
      const got = open.input.read(this.bytes.subarray(left));
      if (typeof got !== "number")
        return got.then(filled, (cause: unknown) => {
          throw failed(cause);
        });
      filled(got);
      return undefined;
    } catch (cause) {
      throw failed(cause);
    }
  }

  private rowsOf(open: OpenPart, builder: BatchBuilder, maxRows: number): void {
    while (builder.rowCount < maxRows) {
      const found = open.part.array ? this.nextItem(open) : this.nextLine(open);
      if (found === null) return;
      this.cursor.reset(this.bytes, found.start, found.end);
      if (this.cursor.peek() < 0) continue;
      open.rows++;
      this.appendRow(open, builder, found);
    }
  }

  private nextLine(open: OpenPart): { start: number; end: number } | null {
    const start = open.position;
    const found = this.bytes.subarray(0, open.length).indexOf(10, start);
    if (found < 0 && (!open.ended || start >= open.length)) return null;
    const end = found < 0 ? open.length : found;
    open.position = found < 0 ? end : end + 1;
    open.lines++;
    return { start, end };
  }

  /** The next element of a top-level array. */
  private nextItem(open: OpenPart): { start: number; end: number } | null {
    if (open.closed) return this.afterArray(open);
    const { cursor } = this;
    cursor.reset(this.bytes, open.position, open.length);
    try {
      if (open.rows > 0) {
        if (cursor.peek() === 93) return this.closeArray(open);
        cursor.expect(44);
      } else if (cursor.peek() === 93) return this.closeArray(open);
      cursor.peek();
      const start = cursor.at;
      cursor.skip();
      const end = cursor.at;
      // What follows must be seen as well: a number may go on.
      if (cursor.peek() < 0) throw new JsonError("it ends within an array", true);
      open.position = end;
      return { start, end };
    } catch (cause) {
      if (!(cause instanceof JsonError)) throw cause;
      if (cause.cutOff && !open.ended) return null;
      throw this.corrupt(open, cause.message);
    }
  }

  private closeArray(open: OpenPart): null {
    open.closed = true;
    open.position = this.cursor.at + 1;
    return this.afterArray(open);
  }

  private afterArray(open: OpenPart): null {
    this.cursor.reset(this.bytes, open.position, open.length);
    if (this.cursor.peek() >= 0) throw this.corrupt(open, "text follows its array");
    open.position = open.length;
    return null;
  }

  private appendRow(open: OpenPart, builder: BatchBuilder, row: { start: number; end: number }): void {
    const cells: CellInput[] = Array.from({ length: this.fields.size }, () => null);
    try {
      if (this.cursor.peek() !== 123) throw new JsonError("it is no object");
      this.cursor.object(this.fields, cells);
      if (this.cursor.peek() >= 0) throw new JsonError("text follows the object");
      builder.appendValues(cells);
    } catch (cause) {
      const ours = cause instanceof JsonError || (cause instanceof ArrowError && cause.code === "type");
      if (!ours || cause instanceof MemoryLimitError) throw cause;
      this.badRows.add({
        where: () => this.where(open, row.start),
        reason: () => cause.message.replace(/\.$/, ""),
        line: () => this.bytes.slice(row.start, row.end),
      });
    }
  }

  private where(open: OpenPart, at: number): string {
    const { part } = open;
    if (part.array) return `Cannot read ${part.path}: element ${open.rows} (byte ${open.before + at})`;
    return `Cannot read ${part.path}: line ${this.linesBefore(part) + open.lines}`;
  }

  /** Line breaks before the part, read again: only to name a line. */
  private linesBefore(part: JsonPart): number {
    if (part.gzip || part.start === 0) return 0;
    const handle = openFile(this.context.disk, part.path);
    try {
      const chunk = new Uint8Array(WINDOW_BYTES);
      let lines = 0;
      for (let at = 0; at < part.start; at += chunk.length) {
        const count = handle.readAt(at, chunk, Math.min(chunk.length, part.start - at));
        for (let i = 0; i < count; i++) if (chunk[i] === 10) lines++;
      }
      return lines;
    } finally {
      handle.close();
    }
  }

  private corrupt(open: OpenPart, reason: string): ConnectorError {
    const place = `after byte ${open.before + open.position}`;
    return new ConnectorError("corrupt", `Cannot read ${open.part.path}: ${reason}, ${place}.`);
  }
}
