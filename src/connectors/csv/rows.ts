import type { Arena } from "../../arrow/mod.ts";
import { cutPlainRows } from "./cut_kernel.ts";
import { CR, type Dialect, LF } from "./dialect.ts";

/**
 * Cuts a window of bytes into rows and fields, given the places of all special bytes. A quote counts only at the start of
 * a field; inside, a doubled quote (or an escaped character) stands for itself.
 */

/** Bits of `ends`. A field that is not quoted and empty has `ends === starts`. */
export const QUOTED = 1 << 30;
export const ESCAPED = 1 << 31;
export const END_MASK = QUOTED - 1;

/** Fields of complete rows with the right number of them: field c of row r is at r · width + c. */
export interface FieldTable {
  readonly width: number;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** Where each row starts in the window. */
  readonly rowStarts: Int32Array;
  /** Two words for `cut_kernel.ts`. */
  readonly progress: Int32Array;
  rows: number;
}

export interface BadRow {
  /** In the window. */
  readonly start: number;
  readonly end: number;
  readonly reason: string;
}

/** A window that starts at a row's start, and how far it has been cut. */
export interface Window {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** Nothing follows the window. A line break stands at `length` then, with an event for it. */
  readonly last: boolean;
  readonly events: Int32Array;
  readonly eventCount: number;
  event: number;
  position: number;
}

/** Rows that are cut here after one that the kernel does not cut, before it is tried again. */
const SLOW_ROWS = 64;

/**
 * Cuts up to `maxRows` rows; `window.position` and `event` move past them. Bad rows are put in `bad`. Gives false when
 * the rest of the window is an incomplete row. Blank lines are left out, but where there is only one column: there it is
 * how a null is written.
 */
export function cutRows(
  window: Window,
  dialect: Dialect,
  table: FieldTable,
  options: { arena: Arena; maxRows: number; bad: BadRow[] },
): boolean {
  const { arena, maxRows, bad } = options;
  table.rows = 0;
  for (;;) {
    cutPlainRows(arena, window, { dialect, table, maxRows });
    if (table.rows >= maxRows || window.position >= window.length) return true;
    const complete = cutAnyRows(window, dialect, table, { maxRows: Math.min(maxRows, table.rows + SLOW_ROWS), bad });
    if (!complete) return false;
  }
}

/** Adds rows of any kind to the table, up to `maxRows` in all. */
function cutAnyRows(
  window: Window,
  dialect: Dialect,
  table: FieldTable,
  options: { maxRows: number; bad: BadRow[] },
): boolean {
  const { bytes, events, eventCount, last, length } = window;
  const { starts, ends, rowStarts, width } = table;
  const { delimiter, quote, comment } = dialect;
  const { maxRows, bad } = options;
  let { rows } = table;
  let event = window.event;
  let rowStart = window.position;
  let fieldStart = rowStart;
  let column = 0;
  let base = rows * width;
  let quotedStart = -1;
  let quotedEnd = 0;
  let malformed = false;
  if (comment >= 0 && bytes[rowStart] === comment) event = skipToLineEnd(window, event);
  while (rows < maxRows && event < eventCount) {
    const at = events[event++] as number;
    const byte = bytes[at] as number;
    if (byte === delimiter) {
      if (column < width) {
        starts[base + column] = quotedStart >= 0 ? quotedStart : fieldStart;
        ends[base + column] = quotedStart >= 0 ? quotedEnd : at;
      }
      column++;
      fieldStart = at + 1;
      quotedStart = -1;
    } else if (byte === LF || byte === CR) {
      let next = at + 1;
      if (byte === CR) {
        if (next >= length && !last) break;
        if (bytes[next] === LF && event < eventCount && events[event] === next) {
          next++;
          event++;
        }
      }
      const blank = column === 0 && fieldStart === at && quotedStart < 0;
      if (!(blank && isNoRow(at, window, dialect, width)) && !(comment >= 0 && bytes[rowStart] === comment)) {
        if (column < width) {
          starts[base + column] = quotedStart >= 0 ? quotedStart : fieldStart;
          ends[base + column] = quotedStart >= 0 ? quotedEnd : at;
        }
        if (column + 1 === width && !malformed) {
          rowStarts[rows++] = rowStart;
          base += width;
        } else
          bad.push({ start: rowStart, end: at, reason: malformed ? TEXT_AFTER_QUOTE : widthReason(column + 1, width) });
      }
      rowStart = fieldStart = next;
      column = 0;
      quotedStart = -1;
      malformed = false;
      window.event = event;
      window.position = next;
      table.rows = rows;
      if (comment >= 0 && bytes[rowStart] === comment) event = skipToLineEnd(window, event);
    } else if (byte === quote && at === fieldStart && quotedStart < 0) {
      event = readQuoted(window, dialect, event);
      if (quoted.close < 0) break;
      quotedStart = at + 1;
      quotedEnd = quoted.close | quoted.flags;
      malformed ||= quoted.malformed;
    }
  }
  return rows >= maxRows || window.position >= length;
}

/** A blank line is a row only where one column can be null, and not at the very end. */
function isNoRow(at: number, window: Window, dialect: Dialect, width: number): boolean {
  return at >= window.length || width !== 1 || !dialect.emptyIsNull;
}

/** Where the quoted field that was read last closes (-1: not in the window), its flags, and whether text follows; one object, reused. */
const quoted = { close: -1, flags: 0, malformed: false };

/** Fills `quoted`, given the first event after the opening quote; gives the first event after the closing one. */
function readQuoted(window: Window, dialect: Dialect, from: number): number {
  const { bytes, events, eventCount } = window;
  const { quote, escape } = dialect;
  let event = from;
  quoted.flags = QUOTED;
  quoted.close = -1;
  while (event < eventCount) {
    const at = events[event++] as number;
    const byte = bytes[at] as number;
    const next = event < eventCount ? (events[event] as number) : -1;
    if (byte === quote) {
      if (escape >= 0 || next !== at + 1 || bytes[next] !== quote) {
        quoted.close = at;
        // Only a delimiter or line break may follow; what is past the window is looked at with the next one.
        quoted.malformed = next >= 0 && (next !== at + 1 || bytes[next] === quote || bytes[next] === escape);
        return event;
      }
    } else if (byte !== escape) continue;
    else if (next !== at + 1) {
      quoted.flags |= ESCAPED;
      continue;
    }
    event++;
    quoted.flags |= ESCAPED;
  }
  return event;
}

const TEXT_AFTER_QUOTE = "text follows a closing quote";

export function widthReason(found: number, wanted: number): string {
  return `it has ${found} field${found === 1 ? "" : "s"} instead of ${wanted}`;
}

/** The first event at a line break. */
function skipToLineEnd(window: Window, from: number): number {
  const { bytes, events, eventCount } = window;
  let event = from;
  while (event < eventCount) {
    const byte = bytes[events[event] as number];
    if (byte === LF || byte === CR) break;
    event++;
  }
  return event;
}

/** The field's bytes with quoting undone: `bytes` itself from start to end where nothing is escaped. */
export function unescapeField(bytes: Uint8Array, start: number, end: number, dialect: Dialect): Uint8Array {
  const mark = dialect.escape >= 0 ? dialect.escape : dialect.quote;
  const out = new Uint8Array(end - start);
  let length = 0;
  for (let i = start; i < end; i++) {
    if (bytes[i] === mark && i + 1 < end) i++;
    out[length++] = bytes[i] as number;
  }
  return out.subarray(0, length);
}
