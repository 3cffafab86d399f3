import { writeSync } from "node:fs";
import { format } from "node:util";

/** Sends what user code logs in this thread to stderr, uncoloured: stdout belongs to the rows. */
export function sendConsoleToStderr(): void {
  const log = (...values: unknown[]): void => {
    try {
      writeSync(2, `${format(...values)}\n`);
    } catch {
      // nobody reads stderr any more: a log line is not worth failing for
    }
  };
  Object.assign(console, { log, info: log, debug: log, warn: log, error: log });
}

/** Drops what is logged in this thread. */
export function muteConsole(): void {
  const log = (): void => {};
  Object.assign(console, { log, info: log, debug: log, warn: log, error: log });
}
