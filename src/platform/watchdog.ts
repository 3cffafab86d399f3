import { Worker } from "node:worker_threads";

export interface WatchdogOptions {
  readonly afterMs: number;
  /** Written to stderr before the process ends. */
  readonly message: string;
  /** Removed before the process ends, since nothing else can run then. */
  readonly directory: string;
}

/**
 * Runs as text of its own, because the executable has no further entry point. It ends the process by a signal: from a
 * thread no runtime offers another way while the main thread computes.
 */
const WATCHER = `
const { workerData } = require("node:worker_threads");
const { rmSync, writeSync } = require("node:fs");
setTimeout(() => {
  try { writeSync(2, workerData.message); } catch {}
  rmSync(workerData.directory, { recursive: true, force: true });
  process.kill(process.pid, "SIGTERM");
}, workerData.afterMs);
`;

/**
 * Ends the process when the main thread is still at it after a time: for the user's code that must run there, where no
 * timer can interrupt an endless loop. The returned function calls it off.
 */
export function startWatchdog(options: WatchdogOptions): () => void {
  const worker = new Worker(WATCHER, { eval: true, workerData: options });
  worker.unref();
  return () => void worker.terminate();
}

const PARENT_WATCH_MS = 1_000;

/** Needs no turn of the main thread. Children of a process that has ended are given to another one. */
const PARENT_WATCHER = `
const { workerData } = require("node:worker_threads");
setInterval(() => {
  if (process.ppid === workerData.parent) return;
  try { process.kill(-process.pid, "SIGKILL"); } catch {}
  process.kill(process.pid, "SIGKILL");
}, workerData.everyMs);
`;

/** Ends the process, and its group where it leads one, about a second after its parent, whatever the main thread does. */
export function endWithParent(): void {
  const workerData = { parent: process.ppid, everyMs: PARENT_WATCH_MS };
  new Worker(PARENT_WATCHER, { eval: true, workerData }).unref();
}
