import type { Clock, Log } from "../kernel/mod.ts";

/** A side of another version tries again every second, on and on. */
const VERSION_LINE_MS = 60_000;
const PEERS_MAX = 512;

/** A log in which each peer without a common version has one line of a kind a minute. */
export function versionLog(log: Log, clock: Clock): Log {
  const untilMs = new Map<string, number>();
  return {
    write(level, event, fields) {
      if (fields?.["code"] === "unknown-version") {
        const key = `${event} ${fields["peer"]}`;
        const nowMs = clock.nowMs();
        if (nowMs < (untilMs.get(key) ?? nowMs)) return;
        if (untilMs.size >= PEERS_MAX) untilMs.clear();
        untilMs.set(key, nowMs + VERSION_LINE_MS);
      }
      log.write(level, event, fields);
    },
  };
}
