import { createColors } from "picocolors";
import stringWidth from "string-width";
import { expect, test } from "vitest";
import { showText } from "../../../src/cli/jobs/show_text.ts";
import { progressLines } from "../../../src/cli/jobs/stage_lines.ts";
import type { JobProgress } from "../../../src/protocol/mod.ts";

/** What is shown of a job in a narrow terminal: its state is never pushed out, however long its name is. */

const paint = createColors(false);

function job(name: string): JobProgress {
  const counters = { rowsIn: 5, rowsOut: 5, bytesOut: 0, backpressureMs: 0, elapsedMs: 0 };
  return {
    jobId: "0123456789abcdef0123456789abcdef",
    number: 1_234,
    name,
    state: "scheduling",
    attempt: 2,
    createdBy: "ada",
    createdAtMs: 0,
    movedAtMs: 61_000,
    reason: "",
    waiting: null,
    stages: [
      { fragment: 0, label: "scan", parallelism: 4, inputs: [], waiting: 0, running: 2, finished: 2, ...counters },
    ],
    plan: null,
    tasks: [],
    tasksLeftOut: 0,
    resultRoots: 1,
    lastError: null,
  };
}

const NAMES = [
  "x",
  "all-flights-of-the-last-quarter-".repeat(4),
  "航班航班航班航班航班航班航班航班航班航班航班航班航班航班",
];

test.each(NAMES)("the state of a job stands beside its name at 60 and 40 columns: %s", (name) => {
  for (const width of [60, 40]) {
    const style = { paint, width };
    const text = showText(job(name), { history: [], nowMs: 61_200, hasAllTasks: false, style });
    const lines = text.split("\n");
    expect(lines[0]).toMatch(/^job 1234 .+ ◔ scheduling, attempt 2$/);
    for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(width);
    expect(text).toContain("submitted by ada 61 s ago");
    expect(text).toContain("scheduling since just now");
    const [head = ""] = progressLines(job(name), { room: 5, width, elapsedMs: 1_000, paint });
    expect(head).toMatch(
      width === 60 ? /^◔ job 1234 .+ {2}scheduling {2}2 of 4 tasks/ : /^◔ job 1234 .+ {2}scheduling/,
    );
    expect(stringWidth(head)).toBeLessThanOrEqual(width);
  }
});

test("without a terminal nothing is cut", () => {
  const [, long = ""] = NAMES;
  const text = showText(job(long), { history: [], nowMs: 0, hasAllTasks: false, style: { paint, width: 0 } });
  expect(text).toMatch(
    new RegExp(`^job 1234 ${long} ◔ scheduling, attempt 2\n0123456789abcdef0123456789abcdef, submitted `),
  );
});
