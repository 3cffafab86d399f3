import type { CellInput, DataType } from "../../arrow/mod.ts";
import { clock, clockInstant, clockOfDay, parseClock, parseDate, parseTimestamp } from "../parse_time.ts";

/** Why a text is no JSON, or no value of its type. `cutOff`: it may be, once there is more of it. */
export class JsonError extends Error {
  readonly cutOff: boolean;
  constructor(message: string, cutOff = false) {
    super(message);
    this.cutOff = cutOff;
  }
}

const DEPTH_MAX = 128;
const SHOWN_BYTES_MAX = 60;
const utf8 = new TextDecoder("utf-8", { fatal: true });
const shown = new TextDecoder();
const encoder = new TextEncoder();

const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const COLON = 58;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** Reads JSON values (RFC 8259) from bytes as cells of a type. */
export class JsonCursor {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  end = 0;
  private depth = 0;

  reset(bytes: Uint8Array, at: number, end: number): void {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.depth = 0;
  }

  /** The next byte that is no white space, -1 at the end. */
  peek(): number {
    while (this.at < this.end) {
      const byte = this.bytes[this.at] as number;
      if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9) return byte;
      this.at++;
    }
    return -1;
  }

  expect(byte: number): void {
    const found = this.peek();
    if (found === byte) this.at++;
    else this.unexpected(found, `"${String.fromCharCode(byte)}"`);
  }

  private unexpected(found: number, wanted: string): never {
    if (found < 0) throw new JsonError(`it ends where ${wanted} should be`, true);
    throw new JsonError(`"${String.fromCharCode(found)}" where ${wanted} should be`);
  }

  /** A whole object as cells, one a field; the last of equal keys counts, keys without a field are skipped. */
  object(fields: ReadonlyMap<string, { readonly index: number; readonly type: DataType }>, cells: CellInput[]): void {
    this.members((key) => {
      const field = fields.get(key);
      if (field === undefined) this.skip();
      else cells[field.index] = this.field(key, field.type);
    });
  }

  private field(key: string, type: DataType): CellInput {
    const start = this.at;
    try {
      return this.value(type);
    } catch (cause) {
      if (cause instanceof JsonError && !cause.cutOff && cause.message === WRONG_TYPE) {
        this.at = start;
        this.peek();
        const from = this.at;
        this.skip();
        throw new JsonError(`column "${key}": ${this.show(from, this.at)} is not ${wordFor(type)}`);
      }
      throw cause;
    }
  }

  private show(start: number, end: number): string {
    const text = shown.decode(this.bytes.subarray(start, Math.min(end, start + SHOWN_BYTES_MAX)));
    return end - start > SHOWN_BYTES_MAX ? `${text}…` : text;
  }

  /** Calls `member` for each key, with the cursor before its value. */
  members(member: (key: string) => void): void {
    this.expect(OPEN_OBJECT);
    this.enter();
    if (this.peek() === CLOSE_OBJECT) this.at++;
    else
      for (;;) {
        if (this.peek() !== QUOTE) this.unexpected(this.peek(), "a key");
        const key = this.string();
        this.expect(COLON);
        member(key);
        const next = this.peek();
        this.at++;
        if (next === CLOSE_OBJECT) break;
        if (next !== COMMA) this.unexpected(next, '"," or "}"');
      }
    this.depth--;
  }

  items(item: () => void): void {
    this.expect(OPEN_LIST);
    this.enter();
    if (this.peek() === CLOSE_LIST) this.at++;
    else
      for (;;) {
        item();
        const next = this.peek();
        this.at++;
        if (next === CLOSE_LIST) break;
        if (next !== COMMA) this.unexpected(next, '"," or "]"');
      }
    this.depth--;
  }

  private enter(): void {
    if (++this.depth > DEPTH_MAX) throw new JsonError(`it is nested deeper than ${DEPTH_MAX}`);
  }

  value(type: DataType): CellInput {
    const byte = this.peek();
    if (byte === 110) {
      this.word("null");
      return null;
    }
    switch (type.kind) {
      case "utf8":
      case "largeUtf8":
        return byte === QUOTE ? this.string() : this.raw();
      case "bool":
        if (byte !== 116 && byte !== 102) throw new JsonError(WRONG_TYPE);
        return this.boolean();
      case "list": {
        if (byte !== OPEN_LIST) throw this.wrongType();
        const items: CellInput[] = [];
        this.items(() => items.push(this.value(type.item.type)));
        return items;
      }
      case "struct": {
        if (byte !== OPEN_OBJECT) throw this.wrongType();
        const row: Record<string, CellInput> = {};
        const types = new Map(type.fields.map((f) => [f.name, f.type]));
        this.members((key) => {
          const inner = types.get(key);
          if (inner === undefined) this.skip();
          else row[key] = this.value(inner);
        });
        return row;
      }
      default:
        return byte === QUOTE ? fromText(type, this.string()) : fromNumber(type, this.number());
    }
  }

  private wrongType(): JsonError {
    return this.peek() < 0 ? new JsonError("it ends within a value", true) : new JsonError(WRONG_TYPE);
  }

  boolean(): boolean {
    const value = this.bytes[this.at] === 116;
    this.word(value ? "true" : "false");
    return value;
  }

  private word(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.at + i >= this.end) throw new JsonError("it ends within a word", true);
      if (this.bytes[this.at + i] !== word.charCodeAt(i)) throw new JsonError(`a word that is not ${word}`);
    }
    this.at += word.length;
  }

  /** The text of a number, checked against the grammar. */
  number(): string {
    const start = this.at;
    const { bytes, end } = this;
    let at = start;
    const digits = (): number => {
      const from = at;
      while (at < end && (bytes[at] as number) >= 48 && (bytes[at] as number) <= 57) at++;
      return at - from;
    };
    const need = (ok: boolean) => {
      if (!ok) throw at >= end ? new JsonError("it ends within a number", true) : new JsonError(WRONG_TYPE);
    };
    if (bytes[at] === MINUS) at++;
    const zero = bytes[at] === 48;
    const whole = digits();
    need(whole > 0 && !(zero && whole > 1));
    if (at < end && bytes[at] === POINT) {
      at++;
      need(digits() > 0);
    }
    if (at < end && ((bytes[at] as number) | 32) === 101) {
      at++;
      if (bytes[at] === 43 || bytes[at] === MINUS) at++;
      need(digits() > 0);
    }
    this.at = at;
    return ascii(bytes, start, at);
  }

  string(): string {
    const { bytes, end } = this;
    const start = this.at + 1;
    let all = 0;
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) {
        this.at = at + 1;
        return all < 128 ? ascii(bytes, start, at) : decode(bytes, start, at);
      }
      if (byte === BACKSLASH) return this.escapedString(start, at);
      if (byte < 32) throw new JsonError("a control character in a text");
      all |= byte;
    }
    throw new JsonError("it ends within a text", true);
  }

  private escapedString(start: number, from: number): string {
    const { bytes, end } = this;
    let text = decode(bytes, start, from);
    let at = from;
    for (;;) {
      if (at + 1 >= end) throw new JsonError("it ends within a text", true);
      if (bytes[at] === QUOTE) break;
      const escape = bytes[at + 1] as number;
      const simple = ESCAPES.get(escape);
      if (simple !== undefined) {
        text += simple;
        at += 2;
      } else if (escape === 117) {
        if (at + 6 > end) throw new JsonError("it ends within a text", true);
        const code = ascii(bytes, at + 2, at + 6);
        if (!/^[0-9a-fA-F]{4}$/.test(code)) throw new JsonError(`\\u${code} is no character`);
        text += String.fromCharCode(Number.parseInt(code, 16));
        at += 6;
      } else throw new JsonError("an unknown escape in a text");
      const plain = at;
      while (at < end && bytes[at] !== QUOTE && bytes[at] !== BACKSLASH) {
        if ((bytes[at] as number) < 32) throw new JsonError("a control character in a text");
        at++;
      }
      if (at >= end) throw new JsonError("it ends within a text", true);
      text += decode(bytes, plain, at);
      if (bytes[at] === QUOTE) break;
    }
    this.at = at + 1;
    if (/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text)) {
      throw new JsonError("half of a surrogate pair in a text");
    }
    return text;
  }

  /** Moves past any value. */
  skip(): void {
    const byte = this.peek();
    if (byte === QUOTE) this.string();
    else if (byte === OPEN_OBJECT) this.members(() => this.skip());
    else if (byte === OPEN_LIST) this.items(() => this.skip());
    else if (byte === 116 || byte === 102) this.boolean();
    else if (byte === 110) this.word("null");
    else if (byte === MINUS || (byte >= 48 && byte <= 57)) this.number();
    else this.unexpected(byte, "a value");
  }

  /** The text of any value. */
  raw(): string {
    this.peek();
    const start = this.at;
    this.skip();
    return decode(this.bytes, start, this.at);
  }
}

export const WRONG_TYPE = "a value of another type";

const ESCAPES = new Map<number, string>([
  [34, '"'],
  [92, "\\"],
  [47, "/"],
  [98, "\b"],
  [102, "\f"],
  [110, "\n"],
  [114, "\r"],
  [116, "\t"],
]);

function wordFor(type: DataType): string {
  return type.kind === "list" ? "a list" : type.kind === "struct" ? "an object" : type.kind;
}

const ASCII_DIRECT_MAX = 24;

function ascii(bytes: Uint8Array, start: number, end: number): string {
  if (end - start > ASCII_DIRECT_MAX) return shown.decode(bytes.subarray(start, end));
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

function decode(bytes: Uint8Array, start: number, end: number): string {
  try {
    return utf8.decode(bytes.subarray(start, end));
  } catch {
    throw new JsonError("a text is not valid UTF-8");
  }
}

const INTEGER = /^-?\d+$/;

function fromNumber(type: DataType, text: string): CellInput {
  switch (type.kind) {
    case "int64":
    case "uint64":
    case "duration":
      if (!INTEGER.test(text)) throw new JsonError(WRONG_TYPE);
      return text.length <= 15 ? BigInt(Number(text)) : BigInt(text);
    case "int8":
    case "int16":
    case "int32":
    case "uint8":
    case "uint16":
    case "uint32":
      if (!INTEGER.test(text)) throw new JsonError(WRONG_TYPE);
      return Number(text);
    case "float32":
    case "float64":
      return Number(text);
    case "decimal":
      return text;
    default:
      throw new JsonError(WRONG_TYPE);
  }
}

const FLOAT_WORDS = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

/** Types that JSON has no values for are texts. */
function fromText(type: DataType, text: string): CellInput {
  const bytes = encoder.encode(text);
  switch (type.kind) {
    case "float32":
    case "float64":
      return FLOAT_WORDS.get(text) ?? wrong();
    case "decimal":
      return text;
    case "date32": {
      const days = parseDate(bytes, 0, bytes.length);
      return Number.isNaN(days) ? wrong() : days;
    }
    case "timestamp": {
      if (!parseTimestamp(bytes, 0, bytes.length)) return wrong();
      if (type.timezone === null ? clock.zoned : !clock.zoned && type.timezone !== "UTC") return wrong();
      return clockInstant(type.unit) ?? wrong();
    }
    case "time": {
      const value = parseClock(bytes, 0, bytes.length) ? clockOfDay(type.unit) : Number.NaN;
      if (Number.isNaN(value)) return wrong();
      return type.unit === "second" || type.unit === "millisecond" ? value : BigInt(value);
    }
    case "binary":
    case "largeBinary":
    case "fixedSizeBinary":
      return text.length % 2 === 0 && /^[0-9a-f]*$/i.test(text) ? fromHex(text) : wrong();
    default:
      return wrong();
  }
}

function wrong(): never {
  throw new JsonError(WRONG_TYPE);
}

function fromHex(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
