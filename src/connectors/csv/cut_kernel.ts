import type { Address, Arena } from "../../arrow/mod.ts";
import { type FunctionBuilder, i32, type Local, type ModuleBuilder } from "../../wasm/mod.ts";
import { kernelsOnce } from "../kernel_module.ts";
import { CR, type Dialect, LF } from "./dialect.ts";
import type { FieldTable, Window } from "./rows.ts";

/**
 * Cuts plain rows: the right number of fields, no quotes, no escapes, no blank lines. It stops in front of the first row
 * that is not so, or not complete.
 */
interface CutKernel {
  /**
   * Cuts up to `rows` rows of `width` fields from the row that starts at `position`. `starts`, `ends` and `rowStarts`
   * are where the next row goes. Gives the number of rows, and stores at `progress` the next event's address and the
   * next row's position.
   */
  cut(
    bytes: Address,
    events: Address,
    eventsEnd: Address,
    starts: Address,
    ends: Address,
    rowStarts: Address,
    width: number,
    rows: number,
    delimiter: number,
    position: number,
    progress: Address,
  ): number;
}

const PARAMS = {
  bytes: "i32",
  events: "i32",
  eventsEnd: "i32",
  starts: "i32",
  ends: "i32",
  rowStarts: "i32",
  width: "i32",
  rows: "i32",
  delimiter: "i32",
  position: "i32",
  progress: "i32",
} as const;
const kernelFor = kernelsOnce<CutKernel>(build);

/** Adds plain rows to the table, up to `maxRows` in all, and moves the window past them. Window and table lie in the arena. */
export function cutPlainRows(
  arena: Arena,
  window: Window,
  cut: { dialect: Dialect; table: FieldTable; maxRows: number },
): void {
  const { dialect, table, maxRows } = cut;
  const { events } = window;
  // Comments are told apart by what a row starts with.
  if (dialect.comment >= 0) return;
  const field = table.rows * table.width * 4;
  const rows = kernelFor(arena).cut(
    window.bytes.byteOffset,
    events.byteOffset + window.event * 4,
    events.byteOffset + window.eventCount * 4,
    table.starts.byteOffset + field,
    table.ends.byteOffset + field,
    table.rowStarts.byteOffset + table.rows * 4,
    table.width,
    maxRows - table.rows,
    dialect.delimiter,
    window.position,
    table.progress.byteOffset,
  );
  table.rows += rows;
  window.event = ((table.progress[0] as number) - events.byteOffset) >>> 2;
  window.position = table.progress[1] as number;
}

interface Cut {
  readonly f: FunctionBuilder<typeof PARAMS, readonly ["i32"]>;
  /** Address of the next event of the row at hand, and what it says. */
  readonly event: Local<"i32">;
  readonly at: Local<"i32">;
  readonly byte: Local<"i32">;
  /** Byte offset of the field in the row's part of the table. */
  readonly field: Local<"i32">;
  readonly fieldStart: Local<"i32">;
}

function build(module: ModuleBuilder): void {
  const f = module.function("cut", { params: PARAMS, results: ["i32"], export: true });
  const { bytes, events, eventsEnd, starts, ends, rowStarts, width, rows, delimiter, position, progress } = f.params;
  const [event, at, byte] = [f.local("i32", "event"), f.local("i32", "at"), f.local("i32", "byte")];
  const [field, fieldStart] = [f.local("i32", "field"), f.local("i32", "fieldStart")];
  const [last, count, next] = [f.local("i32", "last"), f.local("i32", "count"), f.local("i32", "next")];
  const cut: Cut = { f, event, at, byte, field, fieldStart };
  f.set(last, i32.shl(i32.sub(width, 1), 2));
  f.block((done) => {
    f.loop((again) => {
      f.brIf(done, i32.ge_u(count, rows));
      f.brIf(done, i32.gt_u(i32.add(events, i32.shl(width, 2)), eventsEnd));
      f.set(event, events);
      f.set(field, 0);
      f.set(fieldStart, position);
      f.while(i32.lt_u(field, last), () => {
        nextEvent(cut);
        f.brIf(done, i32.ne(byte, delimiter));
        storeField(cut);
        f.set(fieldStart, i32.add(at, 1));
        f.set(field, i32.add(field, 4));
      });
      nextEvent(cut);
      f.set(next, i32.add(at, 1));
      f.if(i32.eq(byte, CR), () => {
        f.brIf(done, i32.ge_u(event, eventsEnd));
        f.brIf(done, i32.ne(i32.load(event), next));
        f.set(byte, i32.load8_u(i32.add(bytes, next)));
        f.set(next, i32.add(next, 1));
        f.set(event, i32.add(event, 4));
      });
      f.brIf(done, i32.ne(byte, LF));
      f.brIf(done, i32.eq(position, at));
      storeField(cut);
      f.emit(i32.store(rowStarts, position));
      f.set(position, next);
      f.set(events, event);
      f.set(count, i32.add(count, 1));
      f.set(rowStarts, i32.add(rowStarts, 4));
      f.set(starts, i32.add(starts, i32.add(last, 4)));
      f.set(ends, i32.add(ends, i32.add(last, 4)));
      f.br(again);
    });
  });
  f.emit(i32.store(progress, events));
  f.emit(i32.store(progress, position, 4));
  f.return(count);
}

function nextEvent(cut: Cut): void {
  const { f, event, at, byte } = cut;
  f.set(at, i32.load(event));
  f.set(byte, i32.load8_u(i32.add(f.params.bytes, at)));
  f.set(event, i32.add(event, 4));
}

function storeField(cut: Cut): void {
  const { f, at, field, fieldStart } = cut;
  f.emit(i32.store(i32.add(f.params.starts, field), fieldStart));
  f.emit(i32.store(i32.add(f.params.ends, field), at));
}
