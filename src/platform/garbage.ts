import type { Arena } from "../arrow/mod.ts";

/** Looking costs up to 0.3 ms, collecting a few. */
const LOOK_EVERY_MS = 100;
/** Resident memory may grow by so much, the arena's aside, before garbage is collected. */
const GROWTH_BYTES_MAX = 32 << 20;

interface Bun {
  gc(isSynchronous: boolean): void;
}

/**
 * Bun's collector counts the arena's whole address space, 4 GiB, as live memory of each thread, and begins when that
 * much garbage again has come together: a job over a large file would take gigabytes. The function given here, called
 * often, collects when the process has grown. Other runtimes do not count shared memory; there it does nothing.
 */
export function garbageCollector(arena: Arena): () => void {
  const bun = (globalThis as { readonly Bun?: Bun }).Bun;
  if (bun === undefined) return () => {};
  const ownBytes = () => process.memoryUsage.rss() - arena.touchedBytes();
  let lastLookMs = performance.now();
  let leastBytes = Number.POSITIVE_INFINITY;
  return () => {
    const nowMs = performance.now();
    if (nowMs - lastLookMs < LOOK_EVERY_MS) return;
    lastLookMs = nowMs;
    const bytes = ownBytes();
    if (bytes < leastBytes + GROWTH_BYTES_MAX) {
      leastBytes = Math.min(leastBytes, bytes);
      return;
    }
    bun.gc(true);
    leastBytes = ownBytes();
  };
}
