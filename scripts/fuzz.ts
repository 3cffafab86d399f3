/**
 * Random plans against DuckDB for as long as asked: `npm run fuzz -- --minutes 10 [--seed N]`. Stops at the first
 * difference and prints the line that repeats it.
 */
import { Arena } from "../src/arrow/mod.ts";
import { connectDuckDb, fuzzCase } from "../test/differential/fuzz_case.ts";

function option(name: string, fallback: number): number {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
}

const seed = option("seed", Date.now() % 1_000_000_000);
const endMs = Date.now() + option("minutes", 1) * 60_000;
const countMax = option("plans", Number.POSITIVE_INFINITY);
const connection = await connectDuckDb();
const arena = Arena.create({ limitBytes: 1 << 30 });
const counts = { equal: 0, refused: 0 };
for (let i = 0; Date.now() < endMs && i < countMax; i++) {
  const { outcome, given } = await fuzzCase(seed + i, { arena, connection });
  if (outcome.kind === "different") {
    console.error(`PLANS=1 SEED=${seed + i}: ${outcome.difference}\n${given.query.sql}`);
    process.exitCode = 1;
    break;
  }
  counts[outcome.kind]++;
}
console.log(`${counts.equal} plans equal, ${counts.refused} refused for values out of range, from seed ${seed}`);
process.exit();
