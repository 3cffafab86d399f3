import type { Arena } from "./arena.ts";
import { BODY_ALIGN_BYTES } from "./ipc_encode.ts";

/** Buffers with at most so many zero bytes between them are lent as one. */
const GAP_BYTES_MAX = 2 * BODY_ALIGN_BYTES;
const PADDING = new Uint8Array(BODY_ALIGN_BYTES);

/** A body that consists of views of its buffers. */
export interface LentBody {
  /** Offset and length of each buffer in the body. */
  readonly regions: readonly number[];
  readonly chunks: readonly Uint8Array[];
  readonly bytes: number;
}

function align(bytes: number): number {
  return (bytes + BODY_ALIGN_BYTES - 1) & -BODY_ALIGN_BYTES;
}

function isZero(arena: Arena, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (arena.u8[at] !== 0) return false;
  return true;
}

/** Lays the buffers out without copying; those that lie one after the other in the arena stay together. */
export function lendBody(arena: Arena, buffers: readonly Uint8Array[]): LentBody {
  const regions: number[] = [];
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  /** A piece of the arena that ends the body so far. */
  let run: { readonly start: number; end: number } | null = null;
  const endRun = (): void => {
    if (run === null) return;
    // The bytes up to the next aligned address belong to the block; they are lent where they are clean.
    const end = align(run.end);
    const lentEnd = isZero(arena, run.end, end) ? end : run.end;
    chunks.push(new Uint8Array(arena.buffer, run.start, lentEnd - run.start));
    if (lentEnd < end) chunks.push(PADDING.subarray(0, end - lentEnd));
    bytes += end - run.start;
    run = null;
  };
  for (const buffer of buffers) {
    if (buffer.length === 0) {
      regions.push(bytes, 0);
      continue;
    }
    const start = buffer.byteOffset;
    if (buffer.buffer !== arena.buffer) {
      endRun();
      regions.push(bytes, buffer.length);
      chunks.push(buffer);
      const padding = align(buffer.length) - buffer.length;
      if (padding > 0) chunks.push(PADDING.subarray(0, padding));
      bytes += buffer.length + padding;
      continue;
    }
    const gap = run === null ? -1 : start - run.end;
    if (run === null || gap < 0 || gap > GAP_BYTES_MAX || !isZero(arena, run.end, start)) {
      endRun();
      run = { start, end: start };
    }
    regions.push(bytes + start - run.start, buffer.length);
    run.end = start + buffer.length;
  }
  endRun();
  return { regions, chunks, bytes };
}
