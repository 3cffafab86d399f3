import { writeSync } from "node:fs";
import { format } from "node:util";
import { type LogMark, withLogMark } from "../kernel/mod.ts";

let mark: LogMark | null = null;

/** What is logged in this thread from now on, is logged for this run of a task. */
export function markConsole(by: LogMark): void {
  mark = by;
}

/** Sends what user code logs in this thread to stderr, uncoloured: stdout belongs to the rows. */
export function sendConsoleToStderr(): void {
  const log = writerTo(2);
  Object.assign(console, { log, info: log, debug: log, warn: log, error: log });
}

/** Sends what user code logs in this thread to stdout, warnings and errors to stderr, uncoloured. */
export function sendConsoleToBoth(): void {
  const out = writerTo(1);
  const err = writerTo(2);
  Object.assign(console, { log: out, info: out, debug: out, warn: err, error: err });
}

function writerTo(file: 1 | 2): (...values: unknown[]) => void {
  return (...values) => {
    try {
      const text = format(...values);
      writeSync(file, `${mark === null ? text : withLogMark(mark, text)}\n`);
    } catch {
      // nobody reads it any more: a log line is not worth failing for
    }
  };
}

/** Drops what is logged in this thread. */
export function muteConsole(): void {
  const log = (): void => {};
  Object.assign(console, { log, info: log, debug: log, warn: log, error: log });
}
