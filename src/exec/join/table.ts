/** The driver's side of a join's hash table: it owns all of its memory. */
import type { Address } from "../../arrow/mod.ts";
import { type BuildShape, type BuildTerminal, canBeDense, entryLayout, type Placement } from "../../codegen/mod.ts";
import type { Driver } from "../driver.ts";
import type { OpenPipeline } from "../open_pipeline.ts";
import type { BuiltPart, LinkTarget } from "./build_state.ts";
import type { EntryChunk } from "./entry_memory.ts";
import type { LinkArgument } from "./phases.ts";

/** A dense directory may have so many slots for each entry, and so many anyway. */
const DENSE_SLOTS_PER_ENTRY = 4;
const DENSE_SLOTS_MIN = 1_024;
const HASH_SLOTS_MIN_LOG2 = 4;
const HASH_SLOTS_MAX_LOG2 = 28;
/** Entries that a task of linking or of reading the rest should have. */
const TASK_ENTRIES = 65_536;

/** Tables above this are outside the caches that a core has for itself. */
const FAR_BYTES = 1 << 18;

export interface BuiltTable {
  readonly target: LinkTarget;
  readonly isFar: boolean;
  readonly chunks: readonly EntryChunk[];
  /** Frees all of it; idempotent. */
  readonly release: () => void;
}

/** Runs the build side to its end and makes the table. */
export async function buildTable(
  driver: Driver,
  shape: BuildShape,
  pipelines: readonly OpenPipeline[],
): Promise<BuiltTable> {
  const { operator } = shape;
  const terminal: BuildTerminal = { kind: "joinBuild", operator, shape };
  const state = `join ${operator}`;
  const end = { terminal, state, close: "join.close" };
  const closed = (await driver.runInto(pipelines, end)) as readonly (BuiltPart | null)[];
  const parts = closed.filter((part) => part !== null);
  const { arena } = driver;
  const owned: Address[] = parts.flatMap(({ blocks }) => blocks);
  for (const block of owned) arena.retain(block);
  const release = driver.onEnd(() => owned.splice(0).forEach((block) => arena.release(block)));
  const own = (bytes: number) => {
    const address = arena.allocateZeroed(bytes, operator);
    owned.push(address);
    return address;
  };
  const chunks = parts.flatMap((part) => part.chunks);
  const placement = placementOf(shape, parts);
  const directory = own(4 * slotCountOf(placement));
  const target: LinkTarget = {
    placement,
    addresses: { directory, nullEntry: shape.hasNullEntry ? nullEntry(driver, shape, own) : 0 },
  };
  const tasks = chunkTasks(chunks);
  const argument: LinkArgument = { terminal, state, target, tasks };
  await driver.phase("join.link", argument, tasks.length);
  driver.dropState(state);
  const bytes = 4 * slotCountOf(placement) + entryCount(chunks) * entryLayout(shape).entryBytes;
  return { target, isFar: placement.kind !== "all" && bytes > FAR_BYTES, chunks, release };
}

function placementOf(shape: BuildShape, parts: readonly BuiltPart[]): Placement {
  if (shape.keys.length === 0) return { kind: "all" };
  const entries = entryCount(parts.flatMap(({ chunks }) => chunks));
  if (canBeDense(shape) && entries > 0) {
    const min = parts.reduce((least, part) => (part.min < least ? part.min : least), parts[0]?.min ?? 0n);
    const max = parts.reduce((most, part) => (part.max > most ? part.max : most), parts[0]?.max ?? 0n);
    const span = max - min + 1n;
    const most = BigInt(Math.max(DENSE_SLOTS_MIN, DENSE_SLOTS_PER_ENTRY * entries));
    // A uint64 is kept as its bits.
    if (span > 0n && span <= most) return { kind: "dense", min: BigInt.asIntN(64, min), slotCount: Number(span) };
  }
  const wanted = Math.ceil(Math.log2(Math.max(1, 2 * entries)));
  const log2 = Math.min(HASH_SLOTS_MAX_LOG2, Math.max(HASH_SLOTS_MIN_LOG2, wanted));
  return { kind: "hash", shift: 32 - log2 };
}

function slotCountOf(placement: Placement): number {
  if (placement.kind === "all") return 1;
  return placement.kind === "dense" ? placement.slotCount : 2 ** (32 - placement.shift);
}

function nullEntry(driver: Driver, shape: BuildShape, own: (bytes: number) => Address): Address {
  const { columns, entryBytes } = entryLayout(shape);
  const entry = own(entryBytes);
  for (const { field } of columns.values()) {
    if (field.nullOffset !== null) driver.arena.u8[entry + field.nullOffset] = 1;
  }
  return entry;
}

function entryCount(chunks: readonly EntryChunk[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.entryCount, 0);
}

/** Chunks cut into tasks of about `TASK_ENTRIES`. */
export function chunkTasks(chunks: readonly EntryChunk[]): EntryChunk[][] {
  const tasks: EntryChunk[][] = [];
  let entries = TASK_ENTRIES;
  for (const chunk of chunks) {
    if (entries >= TASK_ENTRIES) {
      tasks.push([]);
      entries = 0;
    }
    tasks.at(-1)?.push(chunk);
    entries += chunk.entryCount;
  }
  return tasks;
}
