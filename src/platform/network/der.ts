/**
 * The little of ASN.1 DER that a certificate needs: writing, and reading with every length checked.
 *
 * @see ITU-T X.690, RFC 5280
 */

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The tag of an explicitly tagged, constructed field `[number]`. */
export function explicitTag(number: number): number {
  return 0xa0 + number;
}

/** One value: tag, length, and the content given in parts. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const head = size < 0x80 ? [tag, size] : size < 0x100 ? [tag, 0x81, size] : [tag, 0x82, size >> 8, size & 0xff];
  const out = new Uint8Array(head.length + size);
  out.set(head);
  let at = head.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** An object identifier from its dotted text. */
export function oid(text: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    bytes.push(...digits);
  }
  return der(TAG.oid, Uint8Array.from(bytes));
}

/** One value inside a buffer: `bytes` with tag and length, `content` without. Views, not copies. */
export type DerValue = { readonly tag: number; readonly bytes: Uint8Array; readonly content: Uint8Array };

/** Thrown for bytes that are not the DER that was expected. */
export class DerError extends Error {
  override readonly name = "DerError";
}

/**
 * Reads values one after another.
 * @throws {DerError} cut off, indefinite, longer than 64 KiB, or of another tag than asked for
 */
export class DerReader {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }

  /** The tag of the next value; null at the end. */
  peek(): number | null {
    return this.bytes[this.at] ?? null;
  }

  /** The next value, which must have `tag` where one is given. */
  next(tag?: number): DerValue {
    const start = this.at;
    const found = this.byte();
    if (tag !== undefined && found !== tag) throw new DerError(`tag ${found} where ${tag} belongs`);
    let length = this.byte();
    if (length === 0x81) length = this.byte();
    else if (length === 0x82) length = (this.byte() << 8) | this.byte();
    else if (length >= 0x80) throw new DerError(`a length of form ${length}`);
    const end = this.at + length;
    if (end > this.bytes.length) throw new DerError("cut off");
    const content = this.bytes.subarray(this.at, end);
    this.at = end;
    return { tag: found, bytes: this.bytes.subarray(start, end), content };
  }

  /** A reader of the next value's content. */
  enter(tag: number = TAG.sequence): DerReader {
    return new DerReader(this.next(tag).content);
  }

  private byte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw new DerError("cut off");
    this.at++;
    return byte;
  }
}
