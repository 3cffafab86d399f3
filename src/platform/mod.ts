/**
 * What commands use of the platform. Heavy parts are loaded when first called, so that `sage --version` is instant.
 */

import type { ClusterClient } from "../client/mod.ts";
import type { Credentials, JoinInvitation } from "../cluster/mod.ts";
import type { Keys } from "../kernel/mod.ts";
import type { RaftStore } from "../raft/mod.ts";
import type { AssetName } from "./assets.ts";
import type { BundledJob } from "./bundle.ts";
import type { OpenOptions } from "./client_host.ts";
import type { DataDirectory, DataDirectoryOptions } from "./data_directory.ts";
import type { Engine, EngineOptions } from "./engine.ts";
import type { NodeHost, NodeHostOptions } from "./node_host.ts";
import type { Recovery } from "./recover_node.ts";
import type { RaftStoreOptions } from "./store/raft_store.ts";
import type { WatchdogOptions } from "./watchdog.ts";

export { absolutePath } from "./absolute_path.ts";
export type { AssetName } from "./assets.ts";
export type { BundledJob } from "./bundle.ts";
export { systemClock } from "./clock.ts";
export { isReadableByOthers, readCredentialsText, writeCredentialsText } from "./credentials_file.ts";
export type { DataDirectory, DataDirectoryOptions } from "./data_directory.ts";
export {
  type DataDirectoryChoice,
  dataDirectoryChoices,
  defaultCredentialsFile,
  defaultDataDirectory,
} from "./data_paths.ts";
export type { Engine, EngineOptions, Progress, RootResult, Run, RunStats } from "./engine.ts";
export { guardExit } from "./exit_guard.ts";
export { excerpt, JobError, type JobErrorCode, type SourceLocation } from "./job_error.ts";
export { type LogFormat, type LogOptions, type LogWriter, openLog } from "./log.ts";
export type { NodeHost, NodeHostOptions } from "./node_host.ts";
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

/** @see node_host.ts */
export async function openNodeHost(options: NodeHostOptions): Promise<NodeHost> {
  return (await import("./node_host.ts")).openNodeHost(options);
}

/** @see node_host.ts */
export async function machineDefaults(): Promise<{ name: string; slots: number; memoryBytes: number }> {
  return (await import("./node_host.ts")).machineDefaults();
}

/** @see client_host.ts */
export async function openClient(options: OpenOptions): Promise<ClusterClient> {
  return (await import("./client_host.ts")).openClient(options);
}

/** @see client_host.ts */
export async function login(
  invitation: JoinInvitation,
  as: { readonly name: string; readonly software: string },
): Promise<Credentials> {
  return (await import("./client_host.ts")).login(invitation, as);
}

/** @see keys.ts */
export async function createKeys(): Promise<Keys> {
  return (await import("./keys.ts")).createKeys();
}

/** @see recover_node.ts */
export async function recoverNode(path: string): Promise<Recovery> {
  return (await import("./recover_node.ts")).recoverNode(path);
}

/** @see executor_process.ts */
export async function runExecutor(): Promise<never> {
  return (await import("./executor_process.ts")).runExecutor();
}
