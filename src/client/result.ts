import { Arena, type Batch, type Cell, readIpc, releaseBatch, rowsOf, type Schema } from "../arrow/mod.ts";
import type { JobRows } from "./job_handle.ts";

/** Of the memory that one result passes through: a message of 4 MiB is decoded at a time. */
const ARENA_BYTES = 1 << 28;
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
async function* batchesOf(arena: Arena, first: JobRows, rest: AsyncGenerator<JobRows>): AsyncGenerator<Batch> {
  try {
    yield* batchesIn(arena, first);
    for await (const message of rest) yield* batchesIn(arena, message);
  } finally {
    await rest.return(undefined);
  }
}

function* batchesIn(arena: Arena, { bytes }: JobRows): Generator<Batch> {
  const reader = readIpc(arena, bytes, { owner: OWNER });
  try {
    yield* reader;
  } finally {
    reader.close();
  }
}

/** Rows as objects, by column. */
export async function* resultRows(messages: AsyncGenerator<JobRows>): AsyncGenerator<Record<string, Cell>> {
  const arena = resultArena();
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
