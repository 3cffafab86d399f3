import { UsageError } from "./error.ts";

/** Texts of options as values. Each says what it wants when it gets something else. */

const WORKERS_MAX = 256;
const MEMORY_BYTES_MIN = 16 * 2 ** 20;
const MEMORY_BYTES_MAX = 4 * 2 ** 30;
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
const TTL_MS_MAX = 366 * 864e5;

const SIZE_FACTOR: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  kb: 1e3,
  kib: 2 ** 10,
  m: 2 ** 20,
  mb: 1e6,
  mib: 2 ** 20,
  g: 2 ** 30,
  gb: 1e9,
  gib: 2 ** 30,
};

const TIME_FACTOR: Readonly<Record<string, number>> = { ms: 1, "": 1e3, s: 1e3, m: 6e4, min: 6e4, h: 36e5, d: 864e5 };

/** `512MB` is 512 × 10^6, `2GiB` is 2 × 2^30; 16MiB … 4GiB, for a node as much as it has. */
export function parseMemory(text: string, command = "run"): number {
  const bytes = scaled(text, SIZE_FACTOR);
  if (bytes === null)
    throw new UsageError(`--memory ${text} is not a size. Write one such as 512MB or 2GiB.`, { command });
  const isTooMuch = command === "run" && bytes > MEMORY_BYTES_MAX;
  if (bytes < MEMORY_BYTES_MIN || isTooMuch) {
    const range = command === "run" ? "from 16MiB to 4GiB" : "16MiB at least";
    throw new UsageError(`--memory ${text} is out of range: ${range}.`, { command });
  }
  return Math.floor(bytes);
}

/** `1GiB`: any size but 0. */
export function parseSize(text: string, of: { readonly option: string; readonly command: string }): number {
  const bytes = scaled(text, SIZE_FACTOR);
  if (bytes !== null && bytes >= 1 && Number.isSafeInteger(Math.floor(bytes))) return Math.floor(bytes);
  throw new UsageError(`--${of.option} ${text} is not a size. Write one such as 512MB or 2GiB.`, {
    command: of.command,
  });
}

/** `500ms`, `30s`, `10m`, `1h`; a plain number is seconds. */
export function parseTimeout(text: string, command = "run", option = "timeout"): number {
  const timeoutMs = scaled(text, TIME_FACTOR);
  if (timeoutMs === null) {
    throw new UsageError(`--${option} ${text} is not a time. Write one such as 500ms, 30s or 10m.`, { command });
  }
  if (timeoutMs < 1 || timeoutMs > TIMEOUT_MS_MAX) {
    throw new UsageError(`--${option} ${text} is out of range: from 1ms to 24 days.`, { command });
  }
  return Math.floor(timeoutMs);
}

/** `30m`, `1h`, `7d`: how long a token can be used. */
export function parseTtl(text: string): number {
  const ttlMs = scaled(text, TIME_FACTOR);
  const isTime = ttlMs !== null && /[a-z]/i.test(text);
  if (!isTime)
    throw new UsageError(`--ttl ${text} is not a time. Write one such as 30m, 1h or 7d.`, { command: "token create" });
  if (ttlMs < 1_000 || ttlMs > TTL_MS_MAX) {
    throw new UsageError(`--ttl ${text} is out of range: from 1s to 366d.`, { command: "token create" });
  }
  return Math.floor(ttlMs);
}

export function parseWorkers(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > WORKERS_MAX) {
    throw new UsageError(`--workers ${text} must be a whole number from 1 to ${WORKERS_MAX}.`, { command: "run" });
  }
  return count;
}

function scaled(text: string, factors: Readonly<Record<string, number>>): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const factor = factors[match?.[2]?.toLowerCase() ?? "?"];
  return match === null || factor === undefined ? null : Number(match[1]) * factor;
}

export const FORMATS = ["table", "json", "csv", "arrow"] as const;
export type Format = (typeof FORMATS)[number];

const FORMAT_OF_ENDING: Readonly<Record<string, Format>> = {
  json: "json",
  jsonl: "json",
  ndjson: "json",
  csv: "csv",
  arrow: "arrow",
  arrows: "arrow",
  feather: "arrow",
  txt: "table",
};

/** From `--format`, else from the ending of `--output`, else a table. */
export function chooseFormat(format: string | undefined, output: string | undefined, command = "run"): Format {
  if (format !== undefined) {
    const known = FORMATS.find((candidate) => candidate === format);
    if (known) return known;
    throw new UsageError(`--format ${format} is not a format. Choose one of ${FORMATS.join(", ")}.`, { command });
  }
  if (output === undefined) return "table";
  const ending = /\.([^./\\]+)$/.exec(output)?.[1]?.toLowerCase() ?? "";
  const fromEnding = FORMAT_OF_ENDING[ending];
  if (fromEnding) return fromEnding;
  const parquet = ending === "parquet" ? " For Parquet end the dataflow with .toParquet(path)." : "";
  throw new UsageError(
    `The ending of --output ${output} names no format. Add --format ${FORMATS.join("|")}.${parquet}`,
    { command },
  );
}
