/** One log line an offence: the same again within a while is only counted. */
import type { Log } from "../../kernel/mod.ts";

const REPEAT_MS = 10_000;
const KINDS_MAX = 512;
/** Lines of all kinds together within `REPEAT_MS`. */
const LINES_MAX = 64;

export interface Refusal {
  /** Address of the other side, with its port. */
  readonly remote: string;
  /** Null when it has not proven one. */
  readonly peer: string | null;
  readonly reason: string;
}

interface Kind {
  untilMs: number;
  repeated: number;
}

export class RefusalLog {
  private readonly log: Log;
  private readonly nowMs: () => number;
  private readonly kinds = new Map<string, Kind>();
  private lines = 0;
  private linesUntilMs = 0;

  constructor(log: Log, nowMs: () => number) {
    this.log = log;
    this.nowMs = nowMs;
  }

  write(refusal: Refusal): void {
    const nowMs = this.nowMs();
    const key = `${hostOf(refusal.remote)} ${refusal.peer} ${refusal.reason}`;
    const known = this.kinds.get(key);
    if (known !== undefined && nowMs < known.untilMs) {
      known.repeated++;
      return;
    }
    if (nowMs >= this.linesUntilMs) {
      this.lines = 0;
      this.linesUntilMs = nowMs + REPEAT_MS;
    }
    if (++this.lines > LINES_MAX) return;
    if (this.kinds.size >= KINDS_MAX) this.kinds.clear();
    this.kinds.set(key, { untilMs: nowMs + REPEAT_MS, repeated: 0 });
    const repeated = known?.repeated ?? 0;
    this.log.write("warn", "connection dropped", { ...refusal, ...(repeated === 0 ? {} : { repeated }) });
  }
}

function hostOf(remote: string): string {
  return remote.replace(/\/tcp\/\d+.*$/, "");
}
