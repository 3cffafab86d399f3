import type { Compression, ReadHandle } from "../kernel/mod.ts";

/**
 * Bytes of a text file, or of a span of it, in order. A gzip file is unpacked and read from its start; then reads are
 * asynchronous.
 */
export interface TextInput {
  /** Reads into the start of `target`; 0 at the end. */
  read(target: Uint8Array): number | Promise<number>;
  /** Of a gzip file: done when the promise is; it never rejects. */
  close(): void | Promise<void>;
}

const PACKED_BYTES = 1 << 18;

export function isGzip(path: string): boolean {
  return path.toLowerCase().endsWith(".gz");
}

export function spanInput(handle: ReadHandle, start: number, end: number): TextInput {
  let at = start;
  return {
    read(target) {
      const count = handle.readAt(at, target, Math.min(target.length, end - at));
      at += count;
      return count;
    },
    close: () => handle.close(),
  };
}

/** `skip`: bytes of unpacked text to leave out. */
export function gzipInput(handle: ReadHandle, compression: Compression, skip: number): TextInput {
  let at = 0;
  const pieces = compression
    .gunzipPieces(() => {
      const packed = new Uint8Array(PACKED_BYTES);
      const count = handle.readAt(at, packed, PACKED_BYTES);
      at += count;
      return count === 0 ? null : packed.subarray(0, count);
    })
    [Symbol.asyncIterator]();
  let piece: Uint8Array = new Uint8Array(0);
  let left = skip;
  const next = async (): Promise<boolean> => {
    while (piece.length === 0) {
      const step = await pieces.next();
      if (step.done === true) return false;
      const drop = Math.min(left, step.value.length);
      left -= drop;
      piece = step.value.subarray(drop);
    }
    return true;
  };
  return {
    async read(target) {
      if (!(await next())) return 0;
      const count = Math.min(piece.length, target.length);
      target.set(piece.subarray(0, count));
      piece = piece.subarray(count);
      return count;
    },
    close() {
      // The stream may still pull from the file until it has ended.
      const ended = pieces.return?.() ?? Promise.resolve();
      return ended.then(
        () => handle.close(),
        () => handle.close(),
      );
    },
  };
}

/** The first bytes of a file, unpacked: at most `maxBytes`, all when `whole`. */
export async function readHead(
  open: { handle: ReadHandle; gzip: boolean; compression: Compression },
  maxBytes: number,
): Promise<{ bytes: Uint8Array; whole: boolean }> {
  const { handle, gzip, compression } = open;
  if (!gzip) {
    const bytes = new Uint8Array(Math.min(maxBytes, handle.bytes));
    const count = handle.readAt(0, bytes, bytes.length);
    return { bytes: bytes.subarray(0, count), whole: count === handle.bytes };
  }
  // The caller closes the file.
  const input = gzipInput(
    { bytes: handle.bytes, readAt: (...place) => handle.readAt(...place), close: () => undefined },
    compression,
    0,
  );
  try {
    const bytes = new Uint8Array(maxBytes);
    let length = 0;
    while (length < maxBytes) {
      const count = await input.read(bytes.subarray(length));
      if (count === 0) return { bytes: bytes.subarray(0, length), whole: true };
      length += count;
    }
    return { bytes, whole: false };
  } finally {
    await input.close();
  }
}
