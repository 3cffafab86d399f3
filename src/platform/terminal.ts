import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { createInterface } from "node:readline";
import { sendConsoleToStderr } from "./console.ts";

/** The process as a command sees it: arguments, streams, signals, and time to show. */
export interface Terminal {
  readonly args: readonly string[];
  readonly out: Output;
  readonly err: Output;
  environment(name: string): string | undefined;
  /** Whether a person can answer questions. */
  readonly isInteractive: boolean;
  /** A line that the person typed, without its end; null when input has ended. */
  readLine(): Promise<string | null>;
  /** Unix time in milliseconds. */
  wallMs(): number;
  /** Text of a file. @throws the operating system's error */
  readText(path: string): string;
  /** Milliseconds of a clock that only goes forward. */
  nowMs(): number;
  /** Calls back `afterMs` later, unless the returned function was called; does not keep the process alive. */
  schedule(afterMs: number, callback: () => void): () => void;
  /** Calls the handler at the first Ctrl-C or request to end; a second one ends the process at once. */
  onInterrupt(handler: (exitCode: number) => void): () => void;
  /** Calls the handler, instead of ending the process, with what nobody caught. */
  onUncaught(handler: (error: unknown) => void): () => void;
  /** Sends what user code logs to stderr, since stdout belongs to the rows. */
  redirectConsole(): void;
  exit(code: number): never;
}

export interface Output {
  readonly isTerminal: boolean;
  /** Columns of the terminal; 0 when not known. */
  readonly columns: number;
  /** Lines of the terminal; 0 when not known. */
  readonly rows: number;
  readonly hasColor: boolean;
  /** Resolves when the system has taken it. @throws {ClosedOutputError} when nobody reads any more */
  write(chunk: string | Uint8Array): Promise<void>;
}

/** The reader of a pipe has gone, as `head` does: no failure, but a reason to stop. */
export class ClosedOutputError extends Error {
  override readonly name = "ClosedOutputError";
}

export const terminal: Terminal = {
  args: process.argv.slice(2),
  get out() {
    return outputOf(process.stdout);
  },
  get err() {
    return outputOf(process.stderr);
  },
  environment: (name) => process.env[name],
  get isInteractive() {
    return process.stdin.isTTY === true && process.stderr.isTTY === true;
  },
  readLine,
  wallMs: () => Date.now(),
  readText: (path) => readFileSync(path, "utf8"),
  nowMs: () => performance.now(),
  schedule(afterMs, callback) {
    const timer = setTimeout(callback, afterMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  onInterrupt,
  onUncaught(handler) {
    const events = ["uncaughtException", "unhandledRejection"] as const;
    for (const event of events) process.on(event, handler);
    return () => {
      for (const event of events) process.off(event, handler);
    };
  },
  redirectConsole: sendConsoleToStderr,
  exit: (code) => process.exit(code),
};

type StandardStream = typeof process.stdout | typeof process.stderr;
const outputs = new Map<StandardStream, Output>();

function outputOf(stream: StandardStream): Output {
  const known = outputs.get(stream);
  if (known) return known;
  let isClosed = false;
  // Without a listener a broken pipe would end the process with a stack trace.
  stream.on("error", () => {
    isClosed = true;
  });
  const output: Output = {
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 0;
    },
    get rows() {
      return stream.rows ?? 0;
    },
    hasColor: stream.isTTY === true && !process.env["NO_COLOR"] && process.env["TERM"] !== "dumb",
    write: (chunk) =>
      new Promise((resolve, reject) => {
        if (isClosed) return reject(new ClosedOutputError("output closed"));
        stream.write(chunk, (error) => {
          if (error) reject(isBrokenPipe(error) ? new ClosedOutputError("output closed") : error);
          else resolve();
        });
      }),
  };
  outputs.set(stream, output);
  return output;
}

function isBrokenPipe(error: Error): boolean {
  const code = (error as { code?: string }).code;
  return code === "EPIPE" || code === "ERR_STREAM_DESTROYED" || code === "ECONNRESET";
}

function readLine(): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const lines = createInterface({ input: process.stdin });
  lines.once("line", (line) => {
    resolve(line);
    lines.close();
  });
  lines.once("close", () => resolve(null));
  return promise;
}

function onInterrupt(handler: (exitCode: number) => void): () => void {
  let count = 0;
  const listeners = (["SIGINT", "SIGTERM"] as const).map((signal) => {
    const exitCode = 128 + constants.signals[signal];
    const listener = () => {
      count += 1;
      if (count > 1) process.exit(exitCode);
      handler(exitCode);
    };
    process.on(signal, listener);
    return () => void process.off(signal, listener);
  });
  return () => {
    for (const remove of listeners) remove();
  };
}
