import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import type { ProcessUsage } from "../kernel/mod.ts";

/** Linux counts processor time in these for programs, whatever the kernel's own clock is. */
const TICK_MS = 10;
/** Asking `ps` costs some milliseconds. */
const PS_EVERY_MS = 500;

/** Looks at what a process takes; null while unknown. */
export function usageReader(pid: number): () => ProcessUsage | null {
  return process.platform === "linux" ? () => fromProc(pid) : fromPs(pid);
}

function fromProc(pid: number): ProcessUsage | null {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1];
    if (kilobytes === undefined) return null;
    // The name, in brackets, may have blanks.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return { residentBytes: Number(kilobytes) * 1_024, cpuMs: ticks * TICK_MS };
  } catch {
    return null; // it has ended
  }
}

function fromPs(pid: number): () => ProcessUsage | null {
  let last: ProcessUsage | null = null;
  let askedMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = performance.now();
    if (nowMs - askedMs < PS_EVERY_MS) return last;
    askedMs = nowMs;
    execFile("ps", ["-o", "rss=,time=", "-p", String(pid)], (error, text) => {
      if (error === null) last = parsePs(text);
    });
    return last;
  };
}

/** "  12345 1-02:03:04" or "12345 0:01.23": kibibytes, then processor time. */
export function parsePs(text: string): ProcessUsage | null {
  const [, kilobytes, days = "0", clock = ""] = /^\s*(\d+)\s+(?:(\d+)-)?([\d:.]+)/.exec(text) ?? [];
  if (kilobytes === undefined) return null;
  const seconds = clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  return { residentBytes: Number(kilobytes) * 1_024, cpuMs: (Number(days) * 86_400 + seconds) * 1_000 };
}
