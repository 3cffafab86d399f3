import { cpus } from "node:os";

const LOOK_EVERY_MS = 1_000;

/** How busy the machine's cores are, 0 … 1, between the last two looks; looks at most once a second. */
export function cpuLoad(): () => number {
  let before = times();
  let load = 0;
  let lookedMs = performance.now();
  return () => {
    const nowMs = performance.now();
    if (nowMs - lookedMs < LOOK_EVERY_MS) return load;
    const now = times();
    const totalMs = now.totalMs - before.totalMs;
    if (totalMs > 0) load = Math.min(1, Math.max(0, 1 - (now.idleMs - before.idleMs) / totalMs));
    before = now;
    lookedMs = nowMs;
    return load;
  };
}

function times(): { readonly idleMs: number; readonly totalMs: number } {
  let idleMs = 0;
  let totalMs = 0;
  for (const { times: spent } of cpus()) {
    idleMs += spent.idle;
    totalMs += spent.user + spent.nice + spent.sys + spent.idle + spent.irq;
  }
  return { idleMs, totalMs };
}
