/**
 * A CSV file larger than the memory that reading it may take: filtered and aggregated by `sage run` in a process of its
 * own, whose largest resident size is reported.
 *
 *     bun bench/big_csv.ts [gigabytes, default 5] [path of an executable, default: from source]
 *
 * The file is made in the system's directory for temporary files and removed afterwards.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const RSS_MB_MAX = 400;
const SAMPLE_MS = 20;
/** Lines are made once, in a block that is written over and over. */
const BLOCK_ROWS = 200_000;
const CITIES = ["Bern", "Zürich", "Genève", "Basel", "Lugano", "Chur", "Sion", "Aarau"];

const job = (path: string) => `import { avg, col, count, dataflow, max, Stream, sum } from "sage";

export default dataflow("big_csv", () =>
  Stream.fromCsv(${JSON.stringify(path)}, {
    schema: { id: "int64", city: "utf8", amount: "float64", day: "date32", note: "utf8" },
  })
    .filter(col("amount").gt(100).and(col("note").contains("e")))
    .groupBy("city")
    .aggregate({ rows: count(), total: sum("amount"), mean: avg("amount"), last: max("day") })
    .orderBy("city"),
);
`;

function block(): Buffer {
  let seed = 42;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (seed >>> 8) % below;
  };
  const lines = Array.from({ length: BLOCK_ROWS }, (_, id) => {
    const day = new Date(random(20_000) * 86_400_000).toISOString().slice(0, 10);
    const note = id % 50 === 0 ? `"with ""quotes"", commas\nand ${random(1_000)} more lines"` : `note ${random(1e6)}`;
    return `${id},${CITIES[random(8)]},${(random(100_000) / 100).toFixed(2)},${day},${note}\n`;
  });
  return Buffer.from(lines.join(""));
}

/** Gives the number of rows written. */
function makeFile(path: string, bytes: number): number {
  const data = block();
  const blocks = Math.ceil(bytes / data.length);
  const file = openSync(path, "w");
  try {
    writeSync(file, "id,city,amount,day,note\n");
    for (let i = 0; i < blocks; i++) {
      for (let done = 0; done < data.length; ) done += writeSync(file, data, done, data.length - done);
    }
  } finally {
    closeSync(file);
  }
  return blocks * BLOCK_ROWS;
}

/** Largest resident size of a process so far, in megabytes; 0 where the system does not tell. */
function peakRssMb(pid: number): number {
  try {
    const [, kb] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return (Number(kb ?? 0) * 1_024) / 1e6;
  } catch {
    return 0;
  }
}

async function runJob(command: readonly string[], cwd: string): Promise<{ rssMb: number; elapsedMs: number }> {
  const startMs = performance.now();
  const child = spawn(command[0] as string, command.slice(1), { cwd, stdio: ["ignore", "inherit", "inherit"] });
  let rssMb = 0;
  const timer = setInterval(() => (rssMb = Math.max(rssMb, peakRssMb(child.pid ?? 0))), SAMPLE_MS);
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`sage ended with exit code ${code}`);
  return { rssMb, elapsedMs: performance.now() - startMs };
}

const gigabytes = Number(process.argv[2] ?? 5);
const executable = process.argv[3];
const directory = mkdtempSync(join(tmpdir(), "sage-big-csv-"));
try {
  const { bavail, bsize } = statfsSync(directory);
  if (bavail * bsize < gigabytes * 1.1e9) throw new Error(`${tmpdir()} has not ${gigabytes} GB left`);
  const path = join(directory, "big.csv");
  const rows = makeFile(path, gigabytes * 1e9);
  writeFileSync(join(directory, "job.ts"), job(path));
  const fromSource = [process.execPath, fileURLToPath(new URL("../cli.ts", import.meta.url))];
  const sage = executable === undefined ? fromSource : [executable];
  const { rssMb, elapsedMs } = await runJob([...sage, "run", join(directory, "job.ts")], directory);
  const speed = `${((gigabytes * 1e3) / (elapsedMs / 1e3)).toFixed(0)} MB/s`;
  console.log(
    `${gigabytes} GB, ${rows} rows: ${(elapsedMs / 1e3).toFixed(1)} s, ${speed}, ${rssMb.toFixed(0)} MB resident`,
  );
  if (rssMb > RSS_MB_MAX) {
    console.log(`More than ${RSS_MB_MAX} MB.`);
    process.exitCode = 1;
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
