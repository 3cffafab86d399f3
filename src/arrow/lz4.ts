import { ArrowError } from "./error.ts";

/*
 * LZ4 frames (https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md), decoding only: what Arrow's "LZ4_FRAME"
 * buffers are. Checksums are skipped; every read and copy is checked against its buffer.
 */

const FRAME_MAGIC = 0x184d2204;

function broken(what: string): ArrowError {
  return new ArrowError("corrupt", `LZ4 data is corrupt: ${what}.`);
}

class Lz4Decoder {
  readonly input: Uint8Array;
  readonly output: Uint8Array;
  at = 0;
  written = 0;

  constructor(input: Uint8Array, outputBytes: number) {
    this.input = input;
    this.output = new Uint8Array(outputBytes);
  }

  byte(): number {
    const value = this.input[this.at++];
    if (value === undefined) throw broken("it ends too early");
    return value;
  }

  u32(): number {
    return (this.byte() | (this.byte() << 8) | (this.byte() << 16) | (this.byte() << 24)) >>> 0;
  }

  /** Adds bytes to a length of 15 while they are 255. */
  length(low: number): number {
    let length = low;
    if (low !== 15) return length;
    for (let byte = 255; byte === 255; ) {
      byte = this.byte();
      length += byte;
    }
    return length;
  }

  literals(length: number): void {
    if (this.at + length > this.input.length) throw broken("it ends too early");
    if (this.written + length > this.output.length) throw broken("it is longer than it says");
    this.output.set(this.input.subarray(this.at, this.at + length), this.written);
    this.at += length;
    this.written += length;
  }

  match(distance: number, length: number): void {
    const { output } = this;
    if (distance === 0 || distance > this.written) throw broken("a match points before the start");
    if (this.written + length > output.length) throw broken("it is longer than it says");
    if (distance >= length) output.copyWithin(this.written, this.written - distance, this.written - distance + length);
    else {
      for (let i = this.written; i < this.written + length; i++) output[i] = output[i - distance] as number;
    }
    this.written += length;
  }

  block(end: number): void {
    while (this.at < end) {
      const token = this.byte();
      this.literals(this.length(token >>> 4));
      if (this.at >= end) return; // the last sequence has no match
      const distance = this.byte() | (this.byte() << 8);
      this.match(distance, this.length(token & 15) + 4);
    }
  }

  frame(): void {
    if (this.u32() !== FRAME_MAGIC) throw broken("it does not start as a frame");
    const flags = this.byte();
    if (flags >>> 6 !== 1) throw broken(`version ${flags >>> 6} is unknown`);
    const blockChecksum = (flags & 16) !== 0 ? 4 : 0;
    this.at += 1 + ((flags & 8) !== 0 ? 8 : 0) + ((flags & 1) !== 0 ? 4 : 0) + 1;
    for (let size = this.u32(); size !== 0; size = this.u32()) {
      const bytes = size & 0x7fffffff;
      const end = this.at + bytes;
      if (end > this.input.length) throw broken("a block ends after the data");
      if (size >>> 31 === 1) this.literals(bytes);
      else this.block(end);
      if (this.at !== end) throw broken("a block is longer than it says");
      this.at += blockChecksum;
    }
    if ((flags & 4) !== 0) this.at += 4;
  }
}

/** The contents of LZ4 frames that are `outputBytes` long together. Throws `ArrowError` "corrupt" when they are not. */
export function decompressLz4(input: Uint8Array, outputBytes: number): Uint8Array {
  const decoder = new Lz4Decoder(input, outputBytes);
  while (decoder.at < input.length) decoder.frame();
  if (decoder.written !== outputBytes) throw broken(`${decoder.written} bytes instead of ${outputBytes}`);
  return decoder.output;
}
