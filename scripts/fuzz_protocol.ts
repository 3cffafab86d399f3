/**
 * Random and damaged messages into all readers: `bun scripts/fuzz_protocol.ts --cases 1000000 [--seed N]`. Ends with an
 * error at the first that is neither read nor refused as it should be; the same seed repeats it.
 */
import { fuzzProtocol } from "../test/protocol/fuzz.ts";

function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
}

const seed = option("seed", Date.now() % 1_000_000_000);
const count = option("cases", 1_000_000);
console.log(`${count} cases from seed ${seed}`);
const startMs = performance.now();
const { valid, refused, methods, posts, heldBytesMax } = await fuzzProtocol({ count, seed });
const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
console.log(`${seconds} s; valid ${JSON.stringify(valid)}; refused ${JSON.stringify(refused)}`);
console.log(`${methods.size} methods and ${posts.size} kinds of posts reached; at most ${heldBytesMax} bytes held`);
console.log(`${Math.round(process.memoryUsage().rss / (1 << 20))} MB resident in the end`);
