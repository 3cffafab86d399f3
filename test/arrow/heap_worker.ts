import { parentPort, workerData } from "node:worker_threads";
import { Arena } from "../../src/arrow/mod.ts";

/** Allocates, fills, checks and frees at random; keeps up to 40 blocks. Posts the number of blocks found damaged. */
const { memory, seed, rounds } = workerData as { memory: WebAssembly.Memory; seed: number; rounds: number };
const arena = Arena.attach(memory);
const held: { address: number; words: number; mark: number }[] = [];
let state = seed;
let damaged = 0;

function random(below: number): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}

function free(at: number): void {
  const block = held.splice(at, 1)[0];
  if (block === undefined) return;
  const first = block.address >>> 2;
  for (let i = 0; i < block.words; i += 17) if (arena.u32[first + i] !== block.mark) damaged++;
  if (block.words > 0 && arena.u32[first + block.words - 1] !== block.mark) damaged++;
  arena.release(block.address);
}

for (let round = 0; round < rounds; round++) {
  if (held.length >= 40 || (held.length > 0 && random(2) === 0)) {
    free(random(held.length));
  } else {
    const bytes = random(10) === 0 ? random(3_000_000) : random(5_000);
    const zeroed = random(4) === 0;
    const address = zeroed ? arena.allocateZeroed(bytes, seed & 7) : arena.allocate(bytes, seed & 7);
    const words = arena.blockBytes(address) >>> 2;
    const first = address >>> 2;
    if (zeroed) for (let i = 0; i < words; i += 13) if (arena.u32[first + i] !== 0) damaged++;
    const mark = (seed * 65_537 + round) >>> 0;
    arena.u32.fill(mark, first, first + words);
    held.push({ address, words, mark });
  }
}
while (held.length > 0) free(0);
parentPort?.postMessage(damaged);
