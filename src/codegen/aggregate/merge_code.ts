/**
 * Adds the groups of another worker's state to one's own. A merge task takes one part of the hash space: the part of
 * the other's slots where it begins, up to the first empty slot behind where it ends.
 */
import { i32, i64 } from "../../wasm/mod.ts";
import type { GeneratedPipeline } from "../pipeline.ts";
import { GroupCode } from "./group_code.ts";
import { aggregateLayout } from "./layout.ts";
import { StateWord, stateLoad, TableWord, tableOffset } from "./memory_layout.ts";
import { finishModule, openModule } from "./module.ts";
import type { TableShape } from "./table.ts";
import type { AggregateTerminal } from "./terminal.ts";

/** Context words of merge code. */
export const mergeWord = {
  /** State block of the other worker. */
  source: "merge.source",
  /** A group belongs to this part when hash & partMask = part. */
  partMask: "merge.partMask",
  part: "merge.part",
  /** Bits set in `partMask`. */
  partBits: "merge.partBits",
} as const;

/** Exports `run(ctx, start, end)`: slots `start` … `end` of the source's groups; 0, 1 without keys. */
export function generateMerge(terminal: AggregateTerminal): GeneratedPipeline {
  const layout = aggregateLayout(terminal);
  const { scope, f, row } = openModule(terminal.operator);
  const word = (name: string) => {
    const local = f.local("i32", name);
    f.set(local, scope.contextWord(name));
    return local;
  };
  const groups = new GroupCode(scope, layout);
  const source = word(mergeWord.source);
  const from = f.local("i32", "from");
  if (groups.table === null) {
    f.set(from, stateLoad(source, StateWord.single));
    f.if(from, () => groups.merge(scope, from));
    return finishModule(scope, []);
  }
  const [partMask, part, partBits] = [word(mergeWord.partMask), word(mergeWord.part), word(mergeWord.partBits)];
  const slots = f.local("i32", "sourceSlots");
  const mask = f.local("i32", "sourceMask");
  const slot = f.local("i64", "sourceSlot");
  const { tagOffset, entryBytes } = layout.tables[0] as TableShape;
  const hash = f.local("i32", "sourceHash");
  f.set(slots, stateLoad(source, tableOffset(0) + TableWord.slots));
  f.set(mask, stateLoad(source, tableOffset(0) + TableWord.mask));
  f.set(row, f.params.start);
  const { table } = groups;
  f.block((done) => {
    f.loop((next) => {
      const index = i32.and(row, mask);
      if (tagOffset === null) f.set(slot, i64.load(i32.add(slots, i32.shl(index, 3))));
      else {
        // As if the slot were (address, hash), or 0 where it is empty.
        f.set(from, i32.add(slots, i32.mul(index, entryBytes)));
        f.set(slot, i64.shl(i64.load32_u(from, tagOffset), 32n));
      }
      // The only part has no neighbours: all its slots lie before its end.
      f.brIf(done, i32.and(i32.ge_u(row, f.params.end), i32.or(i64.eqz(slot), i32.eqz(partMask))));
      f.set(row, i32.add(row, 1));
      f.brIf(next, i64.eqz(slot));
      f.set(hash, i32.wrap_i64(i64.shr_u(slot, 32n)));
      f.brIf(next, i32.ne(i32.and(hash, partMask), part));
      if (tagOffset === null) f.set(from, i32.wrap_i64(slot));
      // These bits are the same for all groups here: the next ones must decide in a table of this part alone.
      f.set(hash, i32.shl(hash, partBits));
      const keys = table.keysOf(from);
      f.block((merged) => {
        table.findOrInsert(groups.entry, { keys, hash, storing: "nothing" }, () => {
          groups.adopt(scope, from);
          f.br(merged);
        });
        scope.branch(() => groups.merge(scope, from));
      });
      f.br(next);
    });
  });
  return finishModule(scope, []);
}
