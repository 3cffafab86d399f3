/**
 * What commands use of the platform. Heavy parts are loaded when first called, so that `sage --version` is instant.
 */
import type { Keys } from "../kernel/mod.ts";
import type { RaftStore } from "../raft/mod.ts";
import type { AssetName } from "./assets.ts";
import type { BundledJob } from "./bundle.ts";
import type { DataDirectory, DataDirectoryOptions } from "./data_directory.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import type { RaftStoreOptions } from "./store/raft_store.ts";
import type { WatchdogOptions } from "./watchdog.ts";

export type { AssetName } from "./assets.ts";
export type { BundledJob } from "./bundle.ts";
export { systemClock } from "./clock.ts";
export type { DataDirectory, DataDirectoryOptions } from "./data_directory.ts";
export { defaultCredentialsFile, defaultDataDirectory } from "./data_paths.ts";
export type { Engine, EngineOptions, Progress, RootResult, Run, RunStats } from "./engine.ts";
export { excerpt, JobError, type JobErrorCode, type SourceLocation } from "./job_error.ts";
export { type LogFormat, type LogOptions, type LogWriter, openLog } from "./log.ts";
export { fileBytes, makeDirectory, type OutputFile, openOutputFile, writeNewFile } from "./output_file.ts";
export { systemRandom } from "./random.ts";
export type { SourceMap } from "./source_map.ts";
export type { RaftStoreOptions } from "./store/raft_store.ts";
export { ClosedOutputError, type Output, type Terminal, terminal } from "./terminal.ts";

/** @see bundle.ts */
export async function bundleJob(file: string): Promise<BundledJob> {
  return (await import("./bundle.ts")).bundleJob(file);
}

/** @see engine.ts */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  return new (await import("./engine.ts")).Engine(options);
}

/** @see assets.ts */
export async function loadAsset(name: AssetName): Promise<Uint8Array<ArrayBuffer>> {
  return (await import("./assets.ts")).loadAsset(name);
}

/** @see watchdog.ts */
export async function startWatchdog(options: WatchdogOptions): Promise<() => void> {
  return (await import("./watchdog.ts")).startWatchdog(options);
}

/** @see data_directory.ts */
export async function openDataDirectory(
  path: string,
  keys: Keys,
  options: DataDirectoryOptions = {},
): Promise<DataDirectory> {
  return (await import("./data_directory.ts")).openDataDirectory(path, keys, options);
}

/** @see store/raft_store.ts */
export async function openRaftStore(path: string, options: RaftStoreOptions = {}): Promise<RaftStore> {
  return (await import("./store/raft_store.ts")).openRaftStore(path, options);
}
