/** What the simulator needs of a runtime: to let promises run, and to hear of errors that reach nobody. */
import type { Settle } from "../src/sim/mod.ts";

type Jsc = { readonly drainMicrotasks: () => void };

/** At once where the runtime can (Bun), else by a turn of the event loop, which is ten times slower and changes nothing else. */
async function load(): Promise<Settle> {
  if (!("Bun" in globalThis)) return () => new Promise((resolve) => setImmediate(resolve));
  // A variable, so that other runtimes and bundlers do not look for the module.
  const name = "bun:jsc";
  const { drainMicrotasks } = (await import(name)) as Jsc;
  return () => {
    drainMicrotasks();
    return undefined;
  };
}

export const settle: Settle = await load();

const RESIDENT_GROWTH_MIN = 2 ** 28;

let leastBytes = Number.POSITIVE_INFINITY;

/**
 * To be called often. Bun counts the whole address space of arenas as live memory, and begins to collect when that much
 * garbage has come together: collects when the process has grown by a half.
 */
export function rest(): void {
  if (!("Bun" in globalThis)) return;
  const bytes = process.memoryUsage.rss();
  leastBytes = Math.min(leastBytes, bytes);
  if (bytes < leastBytes + Math.max(RESIDENT_GROWTH_MIN, leastBytes / 2)) return;
  (globalThis.Bun as { readonly gc: (isSynchronous: boolean) => void }).gc(true);
  leastBytes = process.memoryUsage.rss();
}

const stray: unknown[] = [];
process.on("unhandledRejection", (error) => {
  // Of a host that was killed in the middle of something: nobody is left to catch it.
  if (!(error instanceof Error) || error.name !== "HostCrash") stray.push(error);
});

/** Errors that nobody caught since the last call. */
export async function strayErrors(): Promise<readonly unknown[]> {
  await new Promise((resolve) => setImmediate(resolve));
  return stray.splice(0);
}
