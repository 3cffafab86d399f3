import { describe, expect, test } from "vitest";
import {
  type Address,
  Arena,
  field,
  float64,
  int64,
  list,
  releaseBatch,
  schema,
  utf8,
} from "../../../src/arrow/mod.ts";
import { SeededRandom } from "../../codegen/random.ts";
import { batchesOf, runPlan, scanOf, sortKey, sortOf, type TestRow } from "./support.ts";

const OF = schema([field("x", float64), field("text", utf8)]);

function rowsFor(count: number): TestRow[] {
  return Array.from({ length: count }, (_, i) => ({ x: (i * 7919) % 1013, text: `row ${i}` }));
}

const KEY = sortKey(OF, { column: "x", descending: false, nullsFirst: false });

/** More than a block of one byte takes. */
const BLOCK_BYTES_MIN = 256;

/** An arena with the rows in which so many bytes are free. */
function crowdedArena(rows: readonly TestRow[], spareBytes: number) {
  const arena = Arena.create({ limitBytes: 2 ** 26 });
  const batches = batchesOf(arena, OF, { rows, random: new SeededRandom(5), rowsMax: 20_000 });
  const fillers: Address[] = [];
  for (let left = Infinity; left > 0; ) {
    left = arena.limitBytes - arena.bytesInUse() - spareBytes - BLOCK_BYTES_MIN;
    if (left > 0) fillers.push(arena.allocate(Math.min(left, 1 << 16), 0));
  }
  return { arena, batches, fillers };
}

describe("a sort that cannot finish", () => {
  test("names its operator when memory is short, at whatever allocation, and frees everything", async () => {
    for (const spareBytes of [150_000, 300_000, 500_000, 1_000_000, 1_500_000]) {
      const { arena, batches } = crowdedArena(rowsFor(50_000), spareBytes);
      const before = arena.bytesInUse();
      const node = sortOf(scanOf(OF), { keys: [KEY] });
      const run = runPlan(arena, node, { batches, workers: 2, batchRows: 8_192 });
      await expect(run).rejects.toMatchObject({ code: "memoryLimit", operator: 7 });
      expect(arena.bytesInUse()).toBe(before);
    }
  });

  test("frees everything when it is cancelled", async () => {
    const arena = Arena.create({ limitBytes: 2 ** 28 });
    const batches = batchesOf(arena, OF, { rows: rowsFor(50_000), random: new SeededRandom(5), rowsMax: 20_000 });
    const before = arena.bytesInUse();
    for (const limit of [null, 100]) {
      const abort = new AbortController();
      const node = sortOf(scanOf(OF), { keys: [KEY], limit });
      const run = runPlan(arena, node, { batches, workers: 2, batchRows: 500, signal: abort.signal });
      abort.abort();
      await expect(run).rejects.toMatchObject({ code: "cancelled" });
      expect(arena.bytesInUse()).toBe(before);
    }
  });

  test("says that a list has no order", async () => {
    const arena = Arena.create({ limitBytes: 2 ** 24 });
    const of = schema([field("items", list(int64))]);
    const expression = { kind: "column", name: "items", type: list(int64), nullable: true } as const;
    const node = sortOf(scanOf(of), { keys: [{ expression, descending: false, nullsFirst: false }] });
    await expect(runPlan(arena, node, { batches: [], workers: 1 })).rejects.toThrow(/Cannot sort by a list/);
  });

  test("keeps only what a limit needs: the input does not fit a second time", async () => {
    const { arena, batches, fillers } = crowdedArena(rowsFor(100_000), 1_200_000);
    const x = { kind: "column", name: "x", type: float64, nullable: true } as const;
    const negated = { kind: "call", fn: "negate", args: [x], type: float64, nullable: true } as const;
    const node = sortOf(scanOf(OF), { keys: [{ ...KEY, expression: negated }], limit: 10 });
    const got = await runPlan(arena, node, { batches, workers: 2, batchRows: 4_096, morselRows: 4_096 });
    expect(got.map((row) => row["x"])).toEqual(Array.from({ length: 10 }, () => 1012));
    for (const batch of batches) releaseBatch(arena, batch);
    for (const filler of fillers) arena.release(filler);
    expect(arena.bytesInUse()).toBe(0);
  });
});
