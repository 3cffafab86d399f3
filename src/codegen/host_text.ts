const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { fatal: true });
const SHORT_BYTES_MAX = 64;

/** UTF-8 in shared memory as a string; decoders refuse shared memory, so longer text is copied first. */
export function readText(u8: Uint8Array, at: number, bytes: number): string {
  const start = at >>> 0;
  const end = start + (bytes >>> 0);
  if (bytes <= SHORT_BYTES_MAX) {
    let text = "";
    let i = start;
    for (; i < end; i++) {
      const byte = u8[i] as number;
      if (byte >= 0x80) break;
      text += String.fromCharCode(byte);
    }
    if (i === end) return text;
  }
  return decoder.decode(u8.slice(start, end));
}

export function isUtf8(u8: Uint8Array, at: number, bytes: number): boolean {
  const start = at >>> 0;
  try {
    strict.decode(u8.slice(start, start + (bytes >>> 0)));
    return true;
  } catch {
    return false;
  }
}
