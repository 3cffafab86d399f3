import { expect, test } from "vitest";
import { fuzzProtocol } from "./fuzz.ts";
import { METHODS } from "./samples.ts";

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_000);
const count = Number(process.env.CASES ?? 100_000);

test(`${count} random and damaged frames and posts never crash a reader (SEED=${seed})`, async () => {
  const counts = await fuzzProtocol({ count, seed });
  expect(counts.cases).toBe(count);
  // Damage must not hide what it is for: every message is also read.
  expect([...counts.methods].sort()).toEqual(METHODS.map(({ name }) => name).sort());
  expect(counts.posts.size).toBe(22);
  for (const code of ["malformed", "schema", "too-large", "unknown-version"])
    expect(counts.refused[code]).toBeGreaterThan(0);
});
