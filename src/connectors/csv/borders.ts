import type { ReadHandle } from "../../kernel/mod.ts";
import type { Tools } from "../contract.ts";
import { CR, type Dialect, LF } from "./dialect.ts";

/** About so many bytes of a file are one split. */
export const SPLIT_BYTES = 8 << 20;

export interface ByteSpan {
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts a file from `start` on into spans that begin at row starts. A line break in quotes is no row end, so the whole
 * file is looked through: quotes are found natively, so a file without them costs little more than reading it.
 */
export async function rowSpans(
  handle: ReadHandle,
  dialect: Dialect,
  where: { readonly start: number; readonly splitBytes?: number; readonly turn?: Tools["turn"] },
): Promise<ByteSpan[]> {
  const { start, splitBytes = SPLIT_BYTES } = where;
  const end = handle.bytes;
  if (end <= start) return [];
  const splittable = dialect.escape < 0 && dialect.comment < 0;
  if (!splittable || end - start <= splitBytes * 1.5) return [{ start, end }];
  const finder = new BorderFinder(handle, dialect, { start, splitBytes });
  const spans: ByteSpan[] = [];
  let from = start;
  for (let at = start; at < end; at += splitBytes) {
    const border = finder.border(at, Math.min(at + splitBytes, end));
    await where.turn?.();
    if (at === start || border < 0) continue;
    spans.push({ start: from, end: border });
    from = border;
  }
  if (from < end) spans.push({ start: from, end });
  return spans;
}

class BorderFinder {
  private inQuote = false;
  private readonly handle: ReadHandle;
  private readonly dialect: Dialect;
  private readonly buffer: Uint8Array;
  /** Next byte to look at. */
  private position: number;
  private readonly first: number;

  constructor(handle: ReadHandle, dialect: Dialect, where: { start: number; splitBytes: number }) {
    this.handle = handle;
    this.dialect = dialect;
    this.position = where.start;
    this.first = where.start;
    this.buffer = new Uint8Array(where.splitBytes + 2);
  }

  /** The first row start in (from, to], after a line break outside of quotes; -1 when there is none. */
  border(from: number, to: number): number {
    // One byte before and one after are looked at as well.
    const base = Math.max(from - 1, 0);
    const got = this.handle.readAt(base, this.buffer, to + 1 - base);
    const bytes = this.buffer.subarray(0, got);
    const end = Math.min(to - base, got);
    let at = this.position - base;
    let border = -1;
    while (at < end) {
      const found = this.dialect.quote < 0 ? -1 : bytes.indexOf(this.dialect.quote, at);
      const quote = found < 0 || found >= end ? end : found;
      if (!this.inQuote && border < 0) {
        const line = bytes.indexOf(LF, at);
        if (line >= 0 && line < quote) border = base + line + 1;
      }
      if (quote === end) {
        at = end;
        break;
      }
      at = quote + 1;
      if (!this.inQuote) this.inQuote = this.opensField(bytes, quote, base);
      else if (bytes[quote + 1] === this.dialect.quote && quote + 1 < got) at = quote + 2;
      else this.inQuote = false;
    }
    // One past the end when a doubled quote lies over it.
    this.position = base + at;
    return border;
  }

  private opensField(bytes: Uint8Array, at: number, base: number): boolean {
    if (base + at === this.first) return true;
    const before = bytes[at - 1];
    return before === this.dialect.delimiter || before === LF || before === CR;
  }
}
