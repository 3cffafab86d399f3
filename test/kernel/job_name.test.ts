import { expect, test } from "vitest";
import { isJobName, jobNameOf } from "../../src/kernel/mod.ts";

test("jobs have names in any script", () => {
  const fine = [
    "a",
    "täglich",
    "航班统计",
    "ежедневно",
    "रोज़",
    "اليومية",
    "🚀 launch",
    "❤️",
    "a  b",
    "~!",
    "x".repeat(128),
  ];
  for (const name of [...fine, "航".repeat(42)]) expect([name, isJobName(name)]).toEqual([name, true]);
});

test("no name has what cannot be seen, breaks a line, turns the text or is too long", () => {
  const unseen = ["\u0000", "\n", "\u001b[31m", "\u0085", "\u00a0", "\u00ad", "\u200b", "\u200f", "\u2028", "\u202e"];
  const more = ["\u2066", "\u3000", "\ud800", "\udc00", "\ue000", "\ufeff", "\ufffe", "\u{e0041}", "\u{10ffff}"];
  for (const part of [...unseen, ...more]) expect([part, isJobName(`a${part}b`)]).toEqual([part, false]);
  for (const name of ["", " ", " a", "a ", "x".repeat(129), "航".repeat(43)]) expect(isJobName(name)).toBe(false);
});

test("a letter and its mark are one character, as a keyboard gives them", () => {
  expect(jobNameOf("ta\u0308glich")).toBe("t\u00e4glich");
});
