import stringWidth from "string-width";
import { expect, test } from "vitest";
import { frameText } from "../../../src/cli/cluster/screen.ts";
import { ageText, type Column, cutTo, table } from "../../../src/cli/cluster/table.ts";
import { paintFor } from "../../../src/cli/paint.ts";

const plain = paintFor({ hasColor: false });
const COLUMNS: readonly Column[] = [
  { head: "name" },
  { head: "count", isRight: true, giveWay: 1 },
  { head: "id", giveWay: 2 },
];
const rows = [
  [{ text: "workers" }, { text: "7" }, { text: "12D3KooW" }],
  [{ text: "a" }, { text: "1024" }, { text: "12D3" }],
];
const draw = (width: number, cells = rows) => table(COLUMNS, cells, { paint: plain, width });

test("columns are as wide as they need, numbers to the right, no blanks at the end", () => {
  expect(draw(0)).toBe("name     count  id\nworkers      7  12D3KooW\na         1024  12D3\n");
});

test("where a line is too long, columns give way in their order, then cells are cut", () => {
  expect(draw(24)).toBe(draw(0));
  expect(draw(23)).toBe("name     count\nworkers      7\na         1024\n");
  expect(draw(13)).toBe("name\nworkers\na\n");
  const long = [[{ text: "a-name-that-is-long" }, { text: "1" }, { text: "x" }]];
  expect(draw(12, long)).toBe("name\na-name-that…\n");
  expect(draw(3, long)).toBe("name\na-name-…\n");
});

test("no line is wider than the terminal, whatever is in it", () => {
  const wide = [
    [{ text: "データ処理-😀-ノード" }, { text: "1" }, { text: "é́é" }],
    [{ text: "👩‍👩‍👧‍👦 family" }, { text: "22" }, { text: "ß" }],
  ];
  for (let width = 8; width < 60; width++) {
    for (const line of draw(width, wide).split("\n")) expect(stringWidth(line)).toBeLessThanOrEqual(width);
  }
});

test("columns of wide letters stand below each other", () => {
  const lines = draw(0, [
    [{ text: "日本" }, { text: "1" }, { text: "x" }],
    [{ text: "abcd" }, { text: "2" }, { text: "y" }],
  ]).split("\n");
  expect(stringWidth(lines[1] ?? "")).toBe(stringWidth(lines[2] ?? ""));
});

test("colours do not count as columns", () => {
  const paint = { ...plain, bold: (text: unknown) => `\u001b[1m${text}\u001b[22m` };
  const [head] = table(COLUMNS, rows, { paint, width: 0 }).split("\n");
  expect(head).toBe("\u001b[1mname\u001b[22m     \u001b[1mcount\u001b[22m  \u001b[1mid\u001b[22m");
});

test("a table without rows has its heads", () => {
  expect(draw(0, [])).toBe("name  count  id\n");
});

test("texts are cut between letters as people see them", () => {
  expect(cutTo("workers", 7)).toBe("workers");
  expect(cutTo("workers", 4)).toBe("wor…");
  const red = (text: string) => `\u001b[31m${text}\u001b[39m`;
  expect(cutTo(`${red("workers")} here`, 4)).toBe(red("wor…"));
  expect(cutTo(`a ${red("b")} cd`, 5)).toBe(`a ${red("b")} …`);
  expect(cutTo("日本語", 4)).toBe("日…");
  expect(cutTo("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 3)).toBe("👩‍👩‍👧‍👦…");
});

test("ages are in their nearest unit", () => {
  const ages = [null, -5, 999, 1_000, 89_000, 90_000, 5_399_000, 5_400_000, 129_599_000, 129_600_000, 3e9];
  expect(ages.map(ageText)).toEqual([
    "–",
    "now",
    "now",
    "1 s",
    "89 s",
    "2 min",
    "90 min",
    "2 h",
    "36 h",
    "2 d",
    "35 d",
  ]);
});

test("a frame is drawn over the one before, and cut to the lines of the terminal", () => {
  expect(frameText("a\nb\n", { rows: 0, isFirst: true })).toBe("\u001b[2J\u001b[Ha\u001b[K\nb\u001b[K\n\u001b[J");
  const text = ["1", "2", "3", "4", "5"].join("\n");
  const lines = (rowCount: number) =>
    frameText(text, { rows: rowCount, isFirst: false })
      .split(/\p{Cc}\[[A-Z]/u)
      .join("")
      .trimEnd()
      .split("\n");
  expect(lines(6)).toEqual(["1", "2", "3", "4", "5"]);
  expect(lines(5)).toEqual(["1", "2", "3", "… 2 more lines"]);
  expect(lines(3)).toEqual(["1", "… 4 more lines"]);
});
