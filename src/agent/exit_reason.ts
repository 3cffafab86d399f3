/** Why an executor is gone, as its tasks' report says it. */
import { type ProcessExit, splitLogMark } from "../kernel/mod.ts";

const WORDS_LENGTH_MAX = 500;
const KEPT_BYTES = 2_048;

/** Why the agent ended an executor itself. */
export interface Asked {
  readonly reason: string;
  /** What the job does is to blame: what ran counts as failed, not as lost. */
  readonly isJobsFault: boolean;
}

export interface End {
  readonly reason: string;
  readonly isJobsFault: boolean;
  /** Nobody knows who has ended it; it may have been the job's own code. */
  readonly isUnexplained?: boolean;
}

/** Signals of a process that broke by itself. */
const CRASHES: ReadonlySet<string> = new Set(["SIGSEGV", "SIGBUS", "SIGABRT", "SIGILL", "SIGTRAP", "SIGFPE"]);

/** @param lastWords what it said last on stderr */
export function exitReason(how: ProcessExit, asked: Asked | null, lastWords: string): End {
  const { startError, signal, code } = how;
  if (startError !== null) return { reason: `the executor could not be started: ${startError}`, isJobsFault: false };
  if (asked !== null) return { reason: `the executor was ended: ${asked.reason}`, isJobsFault: asked.isJobsFault };
  if (how.isOutOfMemory) {
    const reason =
      "the system ended the executor: it took more memory than its limit. Give nodes more with --memory, or fewer --slots";
    return { reason, isJobsFault: true };
  }
  const said = lastWords === "" ? "" : `; it said last: ${lastWords}`;
  if (signal !== null && CRASHES.has(signal)) {
    return { reason: `the executor crashed (${signal})${said}`, isJobsFault: true };
  }
  if (signal !== null) {
    const reason = `the executor was ended by signal ${signal}, which its agent did not send`;
    return { reason, isJobsFault: false, isUnexplained: true };
  }
  return { reason: `the executor ended by itself with exit code ${code ?? "unknown"}${said}`, isJobsFault: true };
}

/** The last thing that was written on stderr. */
export class LastWords {
  #bytes = new Uint8Array(0);

  heard(stream: "out" | "err", bytes: Uint8Array): void {
    if (stream !== "err" || bytes.length === 0) return;
    const tail = bytes.subarray(Math.max(0, bytes.length - KEPT_BYTES));
    const kept = this.#bytes.subarray(Math.max(0, this.#bytes.length + tail.length - KEPT_BYTES));
    const joined = new Uint8Array(kept.length + tail.length);
    joined.set(kept);
    joined.set(tail, kept.length);
    this.#bytes = joined;
  }

  /** The last lines, on one line. */
  get text(): string {
    const lines = new TextDecoder().decode(this.#bytes).split("\n");
    const said = lines.map((line) => splitLogMark(line).text.trim()).filter((line) => line !== "");
    return said.slice(-3).join(" / ").slice(-WORDS_LENGTH_MAX);
  }
}

/** Bytes for people. */
export function sizeText(bytes: number): string {
  if (bytes >= 10 * 2 ** 30) return `${Math.round(bytes / 2 ** 30)} GiB`;
  return bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${Math.round(bytes / 2 ** 20)} MiB`;
}
