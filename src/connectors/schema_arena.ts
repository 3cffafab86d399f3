import { Arena } from "../arrow/mod.ts";

const BYTES = 1 << 20;
let arena: Arena | null = null;

/** A small arena of this thread for reading schemas of Arrow data: nothing stays in it. */
export function schemaArena(): Arena {
  arena ??= Arena.create({ limitBytes: BYTES });
  return arena;
}
