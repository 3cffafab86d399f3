/** `bun bench/timers.ts`: a million timers in the wheel, beside the runtime's own; both must expire the same count. */
import { TimerWheel } from "../src/kernel/mod.ts";

const TIMERS = 1_000_000;
const ROUNDS = 3;
const NATIVE_TIMERS = 100_000;

type Row = { readonly what: string; readonly ns: number };

/** Deadlines as a busy node has them: most within seconds, some within the hour. */
function deadlines(count: number): Float64Array {
  let seed = 7;
  return Float64Array.from({ length: count }, () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    const share = seed / 0x7fffffff;
    return 1 + (share < 0.9 ? share * 10_000 : share * 3_600_000);
  });
}

function perTimer(what: string, count: number, run: () => void): Row {
  const startMs = performance.now();
  run();
  return { what, ns: ((performance.now() - startMs) * 1e6) / count };
}

function wheelRound(atMs: Float64Array): Row[] {
  const wheel = new TimerWheel<object>();
  const value = {};
  const ids: number[] = [];
  const rows = [
    perTimer("wheel: insert", TIMERS, () => {
      for (const at of atMs) ids.push(wheel.insert(at, value));
    }),
    perTimer("wheel: cancel", TIMERS, () => {
      for (const id of ids) wheel.cancel(id as Parameters<typeof wheel.cancel>[0]);
    }),
    perTimer("wheel: insert again, in freed places", TIMERS, () => {
      for (const at of atMs) wheel.insert(at, value);
    }),
  ];
  let expired = 0;
  rows.push(
    perTimer("wheel: expire, advanced by 1 ms", TIMERS, () => {
      for (let nowMs = 0; nowMs <= 3_600_001; nowMs++) wheel.advance(nowMs, () => expired++);
    }),
  );
  if (expired !== TIMERS) throw new Error(`${expired} of ${TIMERS} timers expired.`);
  return rows;
}

function nativeRound(atMs: Float64Array): Row[] {
  const timers: ReturnType<typeof setTimeout>[] = [];
  return [
    perTimer("setTimeout", NATIVE_TIMERS, () => {
      for (let index = 0; index < NATIVE_TIMERS; index++)
        timers.push(setTimeout(() => {}, 1e6 + (atMs[index] as number)));
    }),
    perTimer("clearTimeout", NATIVE_TIMERS, () => {
      for (const timer of timers) clearTimeout(timer);
    }),
  ];
}

const atMs = deadlines(TIMERS);
const rounds = Array.from({ length: ROUNDS }, () => [...wheelRound(atMs), ...nativeRound(atMs)]);
console.log("| what | ns each, best of 3 |\n|---|---|");
for (const [index, { what }] of (rounds[0] ?? []).entries()) {
  const best = Math.min(...rounds.map((round) => round[index]?.ns ?? Number.POSITIVE_INFINITY));
  console.log(`| ${what} | ${best.toFixed(0)} |`);
}
