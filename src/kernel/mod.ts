export { InvariantError, invariant, SageError, type SageErrorOptions, unreachable } from "./error.ts";
export type { Compression, Disk, DiskEntry, EntryKind, ReadHandle, WriteHandle } from "./ports.ts";
