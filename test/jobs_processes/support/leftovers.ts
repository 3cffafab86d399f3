/** What a job may not leave behind: processes, files of the agents, temporary files beside sinks. */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { Stream } from "../../../mod.ts";

export interface FoundProcess {
  readonly pid: number;
  readonly parent: number;
  readonly isExecutor: boolean;
  /** Time on processors so far, in ticks. */
  readonly ticks: number;
}

/** Processes that were started with this directory in their environment: those of one cluster. Linux only, else none. */
export function processesOf(directory: string): FoundProcess[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc").flatMap((name): FoundProcess[] => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      if (!readFileSync(`/proc/${name}/environ`, "latin1").includes(`HOME=${directory}/`)) return [];
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (fields[0] === "Z") return [];
      const words = readFileSync(`/proc/${name}/cmdline`, "latin1").split("\0");
      const ticks = Number(fields[11]) + Number(fields[12]);
      return [{ pid, parent: Number(fields[1]), isExecutor: words.includes("executor"), ticks }];
    } catch {
      return []; // it has ended meanwhile
    }
  });
}

/** All files below a directory, relative to it, in order. */
export function filesIn(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
}

/**
 * Name and content of all files but temporary ones. What is in Parquet files counts as rows: how they are cut into pages
 * may differ.
 */
export async function contentOf(directory: string): Promise<Record<string, string>> {
  const contents: Record<string, string> = {};
  for (const name of filesIn(directory).filter((each) => !each.endsWith(".tmp")))
    contents[name] = await digestOfFile(join(directory, name));
  return contents;
}

async function digestOfFile(path: string): Promise<string> {
  if (!path.endsWith(".parquet")) return digestOf(readFileSync(path));
  const lines: string[] = [];
  for await (const row of Stream.fromParquet(path).rows({ workers: 0 })) lines.push(rowText(row));
  return `${lines.length} rows ${digestOf(lines.join("\n"))}`;
}

export function rowText(row: unknown): string {
  return JSON.stringify(row, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value));
}

export function digestOf(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}
