import { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { Arena, ArrowError, MemoryLimitError } from "../../src/arrow/mod.ts";
import { InvariantError } from "../../src/kernel/mod.ts";

const MIB = 2 ** 20;

function runWorker(memory: WebAssembly.Memory, seed: number, rounds: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./heap_worker.ts", import.meta.url), { workerData: { memory, seed, rounds } });
    worker.once("message", (damaged: number) => {
      resolve(damaged);
      void worker.terminate();
    });
    worker.once("error", reject);
  });
}

describe("arena", () => {
  test("blocks are aligned to 64 bytes, do not overlap and have 64 bytes of slack", () => {
    const arena = Arena.create({ limitBytes: 64 * MIB });
    const blocks: { address: number; bytes: number }[] = [];
    for (const bytes of [0, 1, 63, 64, 65, 1_000, 1_024, 1_025, 4_097, 65_536, 100_000, 1_048_577]) {
      const address = arena.allocate(bytes, 1);
      expect(address % 64).toBe(0);
      expect(arena.blockBytes(address)).toBeGreaterThanOrEqual(bytes + 64);
      expect(arena.blockBytes(address)).toBeLessThanOrEqual(Math.ceil(bytes * 1.25) + 192);
      for (const other of blocks) {
        const apart = other.address + other.bytes + 64 <= address || address + bytes + 64 <= other.address;
        expect(apart).toBe(true);
      }
      blocks.push({ address, bytes });
    }
    for (const { address } of blocks) arena.release(address);
    expect(arena.bytesInUse()).toBe(0);
  });

  test("the limit is an error with its figures, and what is freed can be used again", () => {
    const arena = Arena.create({ limitBytes: 4 * MIB });
    const first = arena.allocate(3 * MIB, 7);
    const inUseBytes = arena.bytesInUse();
    try {
      arena.allocate(2 * MIB, 9);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(ArrowError);
      expect(error).toMatchObject({
        code: "memoryLimit",
        owner: 9,
        needBytes: 2 * MIB,
        limitBytes: 4 * MIB,
        inUseBytes,
      });
      expect((error as MemoryLimitError).message).toContain("operator 9");
    }
    arena.release(first);
    arena.release(arena.allocate(2 * MIB, 9));
    expect(arena.bytesInUse()).toBe(0);
    expect(arena.peakBytes()).toBe(inUseBytes);
  });

  test("the limit may change: below what is in use nothing more is given until enough was freed", () => {
    const arena = Arena.create({ limitBytes: 4 * MIB });
    const first = arena.allocate(2 * MIB, 1);
    arena.limit(MIB);
    expect(arena.limitBytes).toBe(MIB);
    expect(() => arena.allocate(64, 1)).toThrow(MemoryLimitError);
    arena.release(first);
    const second = arena.allocate(MIB / 2, 1);
    arena.limit(8 * MIB);
    const third = Arena.attach(arena.memory).allocate(6 * MIB, 1);
    for (const block of [second, third]) arena.release(block);
    expect(arena.bytesInUse()).toBe(0);
  });

  test("sizes beyond any memory are refused, not wrapped around", () => {
    const arena = Arena.create({ limitBytes: 2 ** 40 });
    for (const bytes of [2 ** 32, 2 ** 33 + 5, 2 ** 50, 2 ** 32 - 1]) {
      expect(() => arena.allocate(bytes, 0)).toThrow(MemoryLimitError);
    }
    expect(arena.bytesInUse()).toBe(0);
  });

  test("bytes are counted for the owner that allocated them", () => {
    const arena = Arena.create({ limitBytes: 64 * MIB });
    const a = arena.allocate(1_000, 1);
    const b = arena.allocate(2_000, 2);
    expect(arena.bytesInUse(1) + arena.bytesInUse(2)).toBe(arena.bytesInUse());
    arena.release(a);
    expect(arena.bytesInUse(1)).toBe(0);
    expect(arena.bytesInUse(2)).toBe(arena.bytesInUse());
    arena.release(b);
    expect(arena.bytesInUse(2)).toBe(0);
  });

  test("a block lives until its last reference is given back, and giving back once more is a bug", () => {
    const arena = Arena.create({ limitBytes: 64 * MIB });
    const address = arena.allocate(100, 0);
    arena.retain(address);
    arena.release(address);
    expect(arena.bytesInUse()).toBeGreaterThan(0);
    arena.release(address);
    expect(arena.bytesInUse()).toBe(0);
    expect(() => arena.release(address)).toThrow(InvariantError);
    expect(() => arena.retain(address)).toThrow(InvariantError);
    expect(() => arena.release(address + 64)).toThrow(InvariantError);
  });

  test("zeroed memory is zero, also where it was used before", () => {
    const arena = Arena.create({ limitBytes: 64 * MIB });
    const dirty = arena.allocate(200_000, 0);
    arena.u8.fill(0xff, dirty, dirty + arena.blockBytes(dirty));
    arena.release(dirty);
    const clean = arena.allocateZeroed(400_000, 0);
    expect(clean).toBe(dirty);
    expect(arena.u8.subarray(clean, clean + arena.blockBytes(clean)).every((byte) => byte === 0)).toBe(true);
    arena.release(clean);
  });

  test("blocks that grow by a tenth each time stay near the size of the last one", () => {
    const arena = Arena.create({ limitBytes: 2 ** 32 });
    let bytes = MIB;
    let held = arena.allocate(bytes, 0);
    while (bytes < 600 * MIB) {
      bytes = Math.ceil(bytes * 1.1);
      const next = arena.allocate(bytes, 0);
      arena.release(held);
      held = next;
    }
    arena.release(held);
    expect(arena.touchedBytes()).toBeLessThan(4 * bytes);
    expect(arena.bytesInUse()).toBe(0);
  });

  test("any order of allocating and freeing ends with one free range", () => {
    const arena = Arena.create({ limitBytes: 2 ** 30 });
    let state = 42;
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const held: number[] = [];
    for (let i = 0; i < 20_000; i++) {
      if (held.length > 0 && random(100) < 48) arena.release(held.splice(random(held.length), 1)[0] as number);
      else held.push(arena.allocate(random(20) === 0 ? random(2 * MIB) : random(3_000), 3));
    }
    for (const address of held) arena.release(address);
    expect(arena.bytesInUse()).toBe(0);
    const touched = arena.touchedBytes();
    const all = arena.allocate(touched - 100_000, 0);
    expect(arena.touchedBytes()).toBeLessThan(touched * 1.1);
    arena.release(all);
  });

  test("four threads allocate and free in one arena and damage nothing", async () => {
    const arena = Arena.create({ limitBytes: 2 ** 30 });
    const damaged = await Promise.all([11, 22, 33, 44].map((seed) => runWorker(arena.memory, seed, 30_000)));
    expect(damaged).toEqual([0, 0, 0, 0]);
    expect(arena.bytesInUse()).toBe(0);
    for (let owner = 0; owner < 8; owner++) expect(arena.bytesInUse(owner)).toBe(0);
    arena.release(arena.allocate(arena.touchedBytes() - MIB, 0));
  });
});
