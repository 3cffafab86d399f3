/**
 * The exchange of rows between two processes, as `bench/shuffle.ts` measures it: partition, encode, send encrypted, decode into
 * the arena. It is what executors run, without what makes and uses the rows.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Figure } from "./cluster_figure.ts";

const RATE_MB_MIN = 500;
const SHARE_PERCENT_MIN = 60;
const RSS_MB_MAX = 300;

export async function shuffle(options: { readonly megabytes: number; readonly rounds: number }): Promise<Figure[]> {
  const text = await output(options);
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  const rate = number(/exchange, best\s+(\d+) MB\/s/);
  const share = number(/exchange \/ bare transport\s+(\d+) %/);
  const rss = [number(/resident: writer (\d+) MB/), number(/resident: .*reader (\d+) MB/)];
  const what = `shuffle between two processes, ${options.megabytes} MB a round`;
  return [
    { what, wanted: `≥ ${RATE_MB_MIN} MB/s`, reached: `${rate} MB/s`, holds: rate >= RATE_MB_MIN },
    {
      what: "the same, to the bare transport",
      wanted: `≥ ${SHARE_PERCENT_MIN} %`,
      reached: `${share} %`,
      holds: share >= SHARE_PERCENT_MIN,
    },
    {
      what: "the same, resident memory of writer and reader",
      wanted: `≤ ${RSS_MB_MAX} MB`,
      reached: `${rss.join(", ")} MB`,
      holds: Math.max(...rss) <= RSS_MB_MAX,
    },
  ];
}

function output({ megabytes, rounds }: { readonly megabytes: number; readonly rounds: number }): Promise<string> {
  const program = fileURLToPath(new URL("shuffle.ts", import.meta.url));
  return new Promise((resolve, reject) => {
    const arguments_ = [program, "--megabytes", String(megabytes), "--rounds", String(rounds)];
    execFile(process.execPath, arguments_, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`bench/shuffle.ts: ${stderr.slice(-2_000)}`, { cause: error }));
    });
  });
}
