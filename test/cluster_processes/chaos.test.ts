import { expect, test } from "vitest";
import { runChaos } from "./chaos.ts";

test("five nodes under kill -9, SIGSTOP and restarts lose nothing, answer linearizably, and agree in the end", async () => {
  const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 1_000_000));
  console.log(`seed ${seed}: npm run chaos -- --minutes 0.25 --seed ${seed}`);
  const result = await runChaos({ seed, nodes: 5, seconds: 15, everyMs: 600 });
  console.log(JSON.stringify({ ...result, digests: result.digests.length }));
  expect(result.violations).toEqual([]);
  expect(result.digests).toHaveLength(1);
  expect(result.answered).toBeGreaterThan(200);
  expect(result.kept).toBeGreaterThan(20);
}, 150_000);
