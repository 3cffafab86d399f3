import { expect, test } from "vitest";
import type { Clock } from "../../src/kernel/mod.ts";
import { LOG_LINES_PER_WINDOW_MAX, LOG_WINDOW_MS, type LogOptions, openLog } from "../../src/platform/log.ts";

function written(options: LogOptions = {}) {
  const lines: string[] = [];
  let nowMs = 0;
  const wakes: (() => void)[] = [];
  const clock: Clock = {
    nowMs: () => nowMs,
    wallMs: () => Date.UTC(2026, 10, 23, 7, 31, 0, 123) + nowMs,
    wake(_delayMs, run) {
      wakes.push(run);
      return () => void wakes.splice(wakes.indexOf(run), 1);
    },
    soon: (run) => run(),
  };
  const log = openLog(clock, { isColored: false, write: (line) => void lines.push(line), ...options });
  const pass = (ms: number): void => {
    nowMs += ms;
    for (const run of wakes.splice(0)) run();
  };
  return { log, lines, pass, wakes };
}

test("a text line has time, level, event and fields", () => {
  const { log, lines } = written();
  log.write("info", "node is ready", { slots: 4, address: "/ip4/127.0.0.1/tcp/1", isVoter: true, leader: null });
  log.write("error", "cannot join");
  expect(lines).toEqual([
    "2026-11-23T07:31:00.123Z info  node is ready slots=4 address=/ip4/127.0.0.1/tcp/1 isVoter=true leader=null\n",
    "2026-11-23T07:31:00.123Z error cannot join\n",
  ]);
});

test("no value can pass for another line or field, or steer the terminal", () => {
  const { log, lines } = written();
  const evil = "a b=c\n2026 info \u001b[31m\u202e\u009b";
  log.write("warn", "peer refused", { name: evil, empty: "", long: "x".repeat(5000) });
  const line = lines[0] as string;
  expect(line.slice(0, -1)).toMatch(/^[\x20-\x7e…]*$/);
  expect(JSON.parse(/name=("(?:[^"\\]|\\.)*")/.exec(line)?.[1] ?? "")).toBe(evil);
  expect(line).toContain('empty=""');
  expect(line.length).toBeLessThan(1300);
});

test("a JSON line is one object, whose own fields no other replaces", () => {
  const { log, lines } = written({ format: "json" });
  log.write("info", "joined", { peer: "x\ny", level: "mine" });
  expect(JSON.parse(lines[0] as string)).toEqual({
    time: "2026-11-23T07:31:00.123Z",
    level: "info",
    event: "joined",
    peer: "x\ny",
    level_: "mine",
  });
  expect(lines[0]?.indexOf("\n")).toBe((lines[0] as string).length - 1);
});

test("lines below the level are not written, and colour is for terminals", () => {
  const plain = written({ level: "warn" });
  plain.log.write("info", "quiet");
  plain.log.write("warn", "loud");
  expect(plain.lines).toHaveLength(1);
  const colored = written({ isColored: true });
  colored.log.write("error", "red");
  expect(colored.lines[0]).toContain("\u001b[31merror");
});

test("a flood of one event becomes a few lines and a count, and other events are not held back", () => {
  const { log, lines, pass, wakes } = written();
  for (let index = 0; index < 10_000; index++) log.write("warn", "peer refused", { port: index });
  log.write("info", "something else");
  expect(lines).toHaveLength(LOG_LINES_PER_WINDOW_MAX + 1);
  pass(LOG_WINDOW_MS);
  expect(lines.at(-1)).toContain(`warn  peer refused repeated=${10_000 - LOG_LINES_PER_WINDOW_MAX}`);
  expect(wakes).toHaveLength(0);
  log.write("warn", "peer refused", { port: 1 });
  expect(lines.at(-1)).toContain("port=1");
});

test("closing says what was counted, and events that never end are forgotten", () => {
  const { log, lines, wakes } = written();
  for (let index = 0; index < 30; index++) log.write("warn", "peer refused");
  log.close();
  expect(lines.at(-1)).toContain("repeated=20");
  expect(wakes).toHaveLength(0);
  for (let index = 0; index < 5000; index++) log.write("info", `event ${index}`);
  expect(lines).toHaveLength(11 + 5000);
});
