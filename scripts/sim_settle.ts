/**
 * How the simulator lets promises run between two events: at once where the runtime can (Bun), else by a turn of the event
 * loop, which is ten times slower and changes nothing else.
 */
import type { Settle } from "../src/sim/mod.ts";

type Jsc = { readonly drainMicrotasks: () => void };

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
