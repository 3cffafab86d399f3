import { writeSync } from "node:fs";
import type { Clock, Log, LogFields, LogLevel } from "../kernel/mod.ts";

export type LogFormat = "text" | "json";

export interface LogOptions {
  /** Default "text". */
  readonly format?: LogFormat;
  /** Lowest level that is written; default "info". */
  readonly level?: LogLevel;
  /** Default: when stderr is a terminal that wants it. */
  readonly isColored?: boolean;
  /** Takes a line with its end; default stderr. */
  readonly write?: (line: string) => void;
}

/** A log that is to be closed, so that what it has counted is still said. */
export interface LogWriter extends Log {
  close(): void;
}

/** Lines of one event in a window; further ones are counted, and the count is written when the window ends. */
export const LOG_LINES_PER_WINDOW_MAX = 10;
export const LOG_WINDOW_MS = 10_000;
/** Events whose lines are counted at once. */
const EVENTS_MAX = 1000;
/** Longer values are cut. */
const VALUE_CHARS_MAX = 1000;

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };
const COLORS: Readonly<Record<LogLevel, string>> = { debug: "90", info: "32", warn: "33", error: "31" };

/**
 * Writes lines to stderr: text such as `2026-11-23T07:31:00.123Z info  node is ready slots=4`, or one JSON object each.
 *
 * A flood of one event is ten lines and then a count (`repeated=`), every ten seconds, whatever its fields are.
 */
export function openLog(clock: Clock, options: LogOptions = {}): LogWriter {
  const { format = "text", level: lowest = "info", isColored = stderrHasColor(), write = writeToStderr } = options;
  const windows = new Map<string, Window>();
  let cancelSweep: (() => void) | null = null;
  const put = (level: LogLevel, event: string, fields: LogFields): void => {
    const line = { time: new Date(clock.wallMs()).toISOString(), level, event, fields };
    write(format === "json" ? jsonLine(line) : textLine(line, isColored));
  };
  const end = (key: string, window: Window): void => {
    windows.delete(key);
    if (window.repeated > 0) put(window.level, window.event, { repeated: window.repeated });
  };
  /** Ends the windows of which there is something to say; only floods need a wake. */
  const sweep = (): void => {
    cancelSweep = null;
    for (const [key, window] of windows) if (window.repeated > 0) end(key, window);
  };
  return {
    write(level, event, fields = {}) {
      if (RANK[level] < RANK[lowest]) return;
      const key = `${level} ${event}`;
      const nowMs = clock.nowMs();
      let window = windows.get(key);
      if (window && nowMs - window.startMs >= LOG_WINDOW_MS) {
        end(key, window);
        window = undefined;
      }
      if (!window) {
        const [oldest] = windows.size < EVENTS_MAX ? [] : windows;
        if (oldest) end(...oldest);
        window = { level, event, startMs: nowMs, lines: 0, repeated: 0 };
        windows.set(key, window);
      }
      window.lines += 1;
      if (window.lines <= LOG_LINES_PER_WINDOW_MAX) return put(level, event, fields);
      window.repeated += 1;
      cancelSweep ??= clock.wake(LOG_WINDOW_MS, sweep);
    },
    close() {
      cancelSweep?.();
      sweep();
    },
  };
}

type Window = {
  readonly level: LogLevel;
  readonly event: string;
  readonly startMs: number;
  lines: number;
  repeated: number;
};

type Line = { readonly time: string; readonly level: LogLevel; readonly event: string; readonly fields: LogFields };

function textLine({ time, level, event, fields }: Line, isColored: boolean): string {
  const paint = (code: string, text: string): string => (isColored ? `\x1b[${code}m${text}\x1b[0m` : text);
  const pairs = Object.entries(fields).map(([key, value]) => ` ${paint("90", `${key}=`)}${textValue(value)}`);
  return `${paint("90", time)} ${paint(COLORS[level], level.padEnd(5))} ${event}${pairs.join("")}\n`;
}

/** Quoted unless it is plain, so that no value can pass for a line, a field or a command to the terminal. */
function textValue(value: string | number | boolean | null): string {
  const text = shortened(String(value));
  if (typeof value !== "string" || /^[\w.,:;/@%+~-]+$/.test(text)) return text;
  // Controls, separators of lines, and marks that turn the direction of text.
  return JSON.stringify(text).replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, escaped);
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function jsonLine({ time, level, event, fields }: Line): string {
  const line: Record<string, unknown> = { time, level, event };
  for (const [key, value] of Object.entries(fields)) {
    line[key in line ? `${key}_` : key] = typeof value === "string" ? shortened(value) : value;
  }
  return `${JSON.stringify(line)}\n`;
}

function shortened(text: string): string {
  return text.length <= VALUE_CHARS_MAX ? text : `${text.slice(0, VALUE_CHARS_MAX)}…`;
}

function stderrHasColor(): boolean {
  return process.stderr.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb";
}

function writeToStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads stderr, or too slowly: a log line is not worth failing or waiting for.
  }
}
