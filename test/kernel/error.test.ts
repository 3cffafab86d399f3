import { expect, test } from "vitest";
import { InvariantError, invariant, SageError } from "../../src/kernel/mod.ts";

test("a broken invariant throws with its message", () => {
  expect(() => invariant(1 > 2, "one exceeds two")).toThrow(InvariantError);
  expect(() => invariant(true, "fine")).not.toThrow();
});

test("an error keeps its code, cause and whether a retry can help", () => {
  const cause = new Error("disk");
  const error = new SageError("io", "Cannot read", { cause, retryable: true });
  expect(error).toMatchObject({ code: "io", retryable: true, cause });
});
