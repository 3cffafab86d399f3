export { BoundedQueue } from "./bounded_queue.ts";
export { InvariantError, invariant, SageError, type SageErrorOptions, unreachable } from "./error.ts";
export type { Address, BlobHash, Branded, ClusterId, PeerId } from "./ids.ts";
export { isJobName, JOB_NAME_RULE, jobNameOf } from "./job_name.ts";
export { joinBytes } from "./join_bytes.ts";
export { type LogMark, splitLogMark, withLogMark } from "./log_mark.ts";
export {
  type Admission,
  type Channel,
  type ChannelHandlers,
  type Clock,
  GUEST_PROTOCOLS,
  type KeyPair,
  type Keys,
  type Log,
  type LogFields,
  type LogLevel,
  OPEN_TIMEOUT_MS,
  type OpenOptions,
  POST_BYTES_MAX,
  type Random,
  type Transport,
  type TransportHooks,
} from "./node_ports.ts";
export type { Compression, Disk, DiskEntry, EntryKind, ReadHandle, WriteHandle } from "./ports.ts";
export type {
  ProcessExit,
  ProcessUsage,
  SpawnedProcess,
  Spawner,
  SpawnHooks,
  SpawnOptions,
} from "./spawner.ts";
export { StoreError, type StoreErrorCode } from "./store_error.ts";
export { TIMERS_MAX, type TimerId, TimerWheel } from "./timer_wheel.ts";
export { type EveryOptions, TIMER_DELAY_MS_MAX, Timers } from "./timers.ts";
export { TransportError, type TransportErrorCode } from "./transport_error.ts";
