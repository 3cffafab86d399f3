/** True when the bytes are well-formed UTF-8 (Unicode 15, table 3-7: no overlong forms, no surrogates). */
export function isUtf8(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
  let i = start;
  while (i < end) {
    const lead = bytes[i] as number;
    if (lead < 0x80) {
      i++;
      continue;
    }
    const length = sequenceLength(bytes, i, end);
    if (length === 0) return false;
    i += length;
  }
  return true;
}

function sequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at] as number;
  const second = at + 1 < end ? (bytes[at + 1] as number) : 0;
  if (lead >= 0xc2 && lead <= 0xdf) return isTail(second) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    const low = lead === 0xe0 ? 0xa0 : 0x80;
    const high = lead === 0xed ? 0x9f : 0xbf;
    if (second < low || second > high || at + 2 >= end) return 0;
    return isTail(bytes[at + 2] as number) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const low = lead === 0xf0 ? 0x90 : 0x80;
    const high = lead === 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high || at + 3 >= end) return 0;
    return isTail(bytes[at + 2] as number) && isTail(bytes[at + 3] as number) ? 4 : 0;
  }
  return 0;
}

function isTail(byte: number): boolean {
  return byte >= 0x80 && byte <= 0xbf;
}
