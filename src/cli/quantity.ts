import { grouped } from "./format/table.ts";

/** Quantities for people. */

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Decimal units with three digits at most: `1.2 kB`, `345 MB`. */
export function bytesText(bytes: number): string {
  let unit = 0;
  let value = bytes;
  for (; value >= 999.5 && unit < BYTE_UNITS.length - 1; unit++) value /= 1_000;
  const digits = unit === 0 || value >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

/** `12 ms`, `1.24 s`, `3 min 05 s`. */
export function durationText(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 59.995) return `${seconds.toFixed(2)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

export function rowCountText(count: number): string {
  return count === 1 ? "1 row" : `${grouped(count)} rows`;
}

/** `7.1 M rows/s`. */
export function rateText(rows: number, ms: number): string {
  const perSecond = rows / (Math.max(ms, 0.001) / 1_000);
  if (perSecond >= 999_500_000) return `${(perSecond / 1e9).toFixed(1)} G rows/s`;
  if (perSecond >= 999_500) return `${(perSecond / 1e6).toFixed(1)} M rows/s`;
  if (perSecond >= 9_995) return `${(perSecond / 1e3).toFixed(0)} k rows/s`;
  return `${grouped(Math.round(perSecond))} rows/s`;
}
