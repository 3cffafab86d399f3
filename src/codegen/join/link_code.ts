/**
 * Puts entries into the directory, by all workers at once: exchanging a slot's address for one's own is atomic, and
 * what was there before becomes the next of the chain. An exchange waits for its slot to arrive from memory; so slots
 * are read for a block of entries first, where many such waits overlap.
 */
import { invariant } from "../../kernel/mod.ts";
import { type Expr, i32, i64, type Local, select } from "../../wasm/mod.ts";
import { finishModule, type KeyParts, loadKeyParts, openModule } from "../aggregate/mod.ts";
import type { GeneratedPipeline } from "../pipeline.ts";
import type { RowScope } from "../scope.ts";
import { type EntryLayout, entryLayout, NEXT_OFFSET } from "./layout.ts";
import { type BuildShape, type Placement, Status, tableWords } from "./shape.ts";

/** Context word: address of the chunk's first entry. */
export const linkChunkWord = "link.chunk";

/** Entries whose slots are fetched together. */
const BLOCK_ENTRIES = 64;

/** Exports `run(ctx, start, end)`: entries `start` … `end` of the chunk. */
export function generateLink(shape: BuildShape, placement: Placement): GeneratedPipeline {
  const layout = entryLayout(shape);
  const { scope, f, row } = openModule(shape.operator);
  const chunk = f.local("i32", "chunk");
  const entry = f.local("i32", "entry");
  const blockStart = f.local("i32", "blockStart");
  const blockEnd = f.local("i32", "blockEnd");
  const touched = f.local("i32", "touched");
  const directory = f.local("i32", "directory");
  f.set(chunk, scope.contextWord(linkChunkWord));
  f.set(directory, scope.contextWord(tableWords(shape.operator).directory));
  const linked: Linked = { entry, layout, placement, directory };
  f.set(blockStart, f.params.start);
  const eachOfBlock = (body: () => void) => {
    f.set(row, blockStart);
    f.while(i32.lt_u(row, blockEnd), () => {
      f.set(entry, i32.add(chunk, i32.mul(row, layout.entryBytes)));
      scope.branch(body);
      f.set(row, i32.add(row, 1));
    });
  };
  f.while(i32.lt_u(blockStart, f.params.end), () => {
    f.set(blockEnd, i32.add(blockStart, BLOCK_ENTRIES));
    f.if(i32.gt_u(blockEnd, f.params.end), () => f.set(blockEnd, f.params.end));
    eachOfBlock(() => f.set(touched, i32.xor(touched, i32.load(slotOfEntry(scope, linked)))));
    eachOfBlock(() => linkEntry(scope, linked));
    f.set(blockStart, blockEnd);
  });
  // The reads must not look useless.
  f.emit(i32.store(f.params.ctx, touched, scope.program.context.word("link.touched")));
  return finishModule(scope, []);
}

interface Linked {
  readonly entry: Local<"i32">;
  readonly layout: EntryLayout;
  readonly placement: Placement;
  readonly directory: Local<"i32">;
}

function linkEntry(scope: RowScope, linked: Linked): void {
  const { f } = scope;
  const { entry, layout } = linked;
  const link = () => {
    const slot = slotOfEntry(scope, linked);
    f.emit(i32.store(entry, i32.atomic_rmw_xchg(slot, entry), NEXT_OFFSET));
  };
  if (layout.statusOffset === null) link();
  else f.if(i32.ne(i32.load8_u(entry, layout.statusOffset), Status.nullKey), link);
}

/** Address of the entry's slot; of the first one where its key is outside the table, being null. */
function slotOfEntry(scope: RowScope, linked: Linked): Expr<"i32"> {
  const { f } = scope;
  const { entry, layout, placement, directory } = linked;
  const slot = f.local("i32", "slot");
  const index = f.local("i32", "index");
  if (placement.kind === "hash") {
    invariant(layout.hashOffset !== null, "entries with keys have a hash");
    f.set(index, i32.shr_u(i32.load(entry, layout.hashOffset), placement.shift));
  } else if (placement.kind === "dense") {
    const [key] = layout.keys.map((field) => loadKeyParts(scope, entry, field));
    denseIndex(scope, { key, placement, index });
    f.if(i32.ge_u(index, placement.slotCount), () => f.set(index, 0));
  }
  f.set(slot, slotAt(directory, index));
  return slot;
}

/** Emits key − min; past the slot count where the key is not in the table. */
export function denseIndex(
  scope: RowScope,
  of: {
    readonly key: KeyParts | undefined;
    readonly placement: Extract<Placement, { kind: "dense" }>;
    readonly index: Local<"i32">;
  },
): void {
  const { f } = scope;
  const { key, placement, index } = of;
  invariant(key !== undefined && (key.form === "i32" || key.form === "i64"), "a dense key is a whole number");
  if (key.form === "i32") {
    f.set(index, i32.sub(key.value, Number(BigInt.asIntN(32, placement.min))));
    return;
  }
  const wide = f.local("i64", "offset");
  f.set(wide, i64.sub(key.value, placement.min));
  f.set(index, select(i64.lt_u(wide, BigInt(placement.slotCount)), i32.wrap_i64(wide), -1));
}

export function slotAt(directory: Expr<"i32">, index: Expr<"i32">): Expr<"i32"> {
  return i32.add(directory, i32.shl(index, 2));
}
