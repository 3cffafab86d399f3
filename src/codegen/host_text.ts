const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { fatal: true });

/** Most texts fit; they are copied here, because not every decoder takes shared memory and making a copy is slower. */
const unshared = new Uint8Array(4096);

/** UTF-8 in shared memory as a string. */
export function readText(u8: Uint8Array, at: number, bytes: number): string {
  const start = at >>> 0;
  const count = bytes >>> 0;
  if (count > unshared.length) return decoder.decode(u8.slice(start, start + count));
  unshared.set(u8.subarray(start, start + count));
  return decoder.decode(unshared.subarray(0, count));
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
