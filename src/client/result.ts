import { Arena, type Batch, type Cell, readIpc, releaseBatch, rowsOf, type Schema, sliceBatch } from "../arrow/mod.ts";
import type { JobRows } from "./job_handle.ts";

/** Of the memory that one result passes through: a message of 4 MiB is decoded at a time. */
const ARENA_BYTES = 1 << 28;
const ROWS_ARENA_BYTES = 2 ** 30;
/** Blocks of results belong to nobody in particular. */
const OWNER = 0;

export function resultArena(): Arena {
  return Arena.create({ limitBytes: ARENA_BYTES });
}

/** Columns and batches of a result. The first message is waited for: it tells the columns. */
export async function openResult(
  arena: Arena,
  messages: AsyncGenerator<JobRows>,
): Promise<{ readonly schema: Schema; readonly batches: AsyncGenerator<Batch> } | null> {
  const first = await messages.next();
  if (first.done === true) return null;
  const reader = readIpc(arena, first.value.bytes, { owner: OWNER });
  const { schema } = reader;
  reader.close();
  return { schema, batches: batchesOf(arena, first.value, messages) };
}

/** Whoever takes a batch releases it. */
async function* batchesOf(arena: Arena, first: JobRows, others: AsyncGenerator<JobRows>): AsyncGenerator<Batch> {
  try {
    yield* batchesIn(arena, first);
    for await (const message of others) yield* batchesIn(arena, message);
  } finally {
    await others.return(undefined);
  }
}

function* batchesIn(arena: Arena, { bytes, skipRows }: JobRows): Generator<Batch> {
  const reader = readIpc(arena, bytes, { owner: OWNER });
  let toSkip = skipRows;
  try {
    for (const batch of reader) {
      const skipped = Math.min(toSkip, batch.rowCount);
      toSkip -= skipped;
      if (skipped === 0) yield batch;
      else if (skipped === batch.rowCount) releaseBatch(arena, batch);
      else yield rest(arena, batch, skipped);
    }
  } finally {
    reader.close();
  }
}

function rest(arena: Arena, batch: Batch, start: number): Batch {
  try {
    return sliceBatch(arena, batch, start, batch.rowCount, OWNER);
  } finally {
    releaseBatch(arena, batch);
  }
}

/** One for all results of a program, since making one takes longer than a small job: each holds a message at a time. */
let rowsArena: Arena | null = null;

/** Rows as objects, by column. */
export async function* resultRows(messages: AsyncGenerator<JobRows>): AsyncGenerator<Record<string, Cell>> {
  rowsArena ??= Arena.create({ limitBytes: ROWS_ARENA_BYTES });
  const arena = rowsArena;
  const result = await openResult(arena, messages);
  if (result === null) return;
  for await (const batch of result.batches) {
    try {
      yield* rowsOf(arena, batch);
    } finally {
      releaseBatch(arena, batch);
    }
  }
}
