/**
 * Gathering: writes the rows that records name, in their order, into the buffers of new columns. `table` is the
 * column's table with an entry for each batch.
 */
import { type Expr, type FunctionBuilder, i32, i64, type Local, ModuleBuilder, memory, v128 } from "../../wasm/mod.ts";
import { bitAt, elementAt } from "../column_load.ts";
import { copyBytes } from "../emit.ts";
import { ColumnEntry } from "./batch_columns.ts";
import { Record, recordAt } from "./records.ts";

const PARAMS = { records: "i32", count: "i32", table: "i32", out: "i32" } as const;
type GatherFunction = FunctionBuilder<typeof PARAMS, [] | ["i32"] | ["i64"]>;

/** What the module exports; addresses are unsigned 32-bit numbers. */
export interface GatherExports {
  gather1(records: number, count: number, table: number, out: number): void;
  gather2(records: number, count: number, table: number, out: number): void;
  gather4(records: number, count: number, table: number, out: number): void;
  gather8(records: number, count: number, table: number, out: number): void;
  gather16(records: number, count: number, table: number, out: number): void;
  /** Values of any width. */
  gatherWide(records: number, count: number, table: number, out: number, width: number): void;
  /** A bitmap that is zero before, of bools. */
  gatherBits(records: number, count: number, table: number, out: number): void;
  /** A bitmap that is zero before, of validity; returns how many are null. */
  gatherValidity(records: number, count: number, table: number, out: number): number;
  /** count + 1 offsets; returns the bytes of all strings, which may be more than offsets can say. */
  gatherOffsets(records: number, count: number, table: number, out: number): bigint;
  /** The strings' bytes one after the other; may write 8 bytes past their end. */
  gatherHeap(records: number, count: number, table: number, out: number): void;
}

export function generateGather(): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder({ memory: { initialPages: 1, maximumPages: 65536, shared: true } });
  fixed(module, 0, (to, from) => i32.store8(to, i32.load8_u(from)));
  fixed(module, 1, (to, from) => i32.store16(to, i32.load16_u(from)));
  fixed(module, 2, (to, from) => i32.store(to, i32.load(from)));
  fixed(module, 3, (to, from) => i64.store(to, i64.load(from)));
  fixed(module, 4, (to, from) => v128.store(to, v128.load(from)));
  wide(module);
  bits(module);
  validity(module);
  offsets(module);
  heap(module);
  return module.bytes();
}

/** Emits a loop over the records; `body` gets the entry of the row's batch and the row, in locals. */
function forEachRecord(
  f: Pick<FunctionBuilder, "local" | "set" | "while" | "emit" | "if">,
  params: { readonly records: Local<"i32">; readonly count: Local<"i32">; readonly table: Local<"i32"> },
  body: (entry: Local<"i32">, row: Local<"i32">) => void,
): void {
  const end = f.local("i32", "end");
  const entry = f.local("i32", "entry");
  const row = f.local("i32", "row");
  f.set(end, recordAt(params.records, params.count));
  f.while(i32.lt_u(params.records, end), () => {
    f.set(entry, i32.add(params.table, i32.shl(i32.load(params.records, Record.batch), 5)));
    f.set(row, i32.load(params.records, Record.row));
    body(entry, row);
    f.set(params.records, i32.add(params.records, Record.bytes));
  });
}

function fixed(module: ModuleBuilder, shift: number, move: (to: Expr<"i32">, from: Expr<"i32">) => Expr<"void">): void {
  const f = module.function(`gather${1 << shift}`, { params: PARAMS, results: [], export: true });
  const { out } = f.params;
  forEachRecord(f, f.params, (entry, row) => {
    f.emit(move(out, elementAt(i32.load(entry, ColumnEntry.data), row, shift)));
    f.set(out, i32.add(out, 1 << shift));
  });
}

function wide(module: ModuleBuilder): void {
  const f = module.function("gatherWide", { params: { ...PARAMS, width: "i32" }, results: [], export: true });
  const { out, width } = f.params;
  forEachRecord(f, f.params, (entry, row) => {
    f.emit(memory.copy(out, i32.add(i32.load(entry, ColumnEntry.data), i32.mul(row, width)), width));
    f.set(out, i32.add(out, width));
  });
}

function setNextBit(
  f: Pick<GatherFunction, "local" | "set" | "emit">,
  at: { readonly out: Local<"i32">; readonly index: Local<"i32"> },
  bit: Expr<"i32">,
): void {
  const byte = f.local("i32", "byte");
  f.set(byte, i32.add(at.out, i32.shr_u(at.index, 3)));
  f.emit(i32.store8(byte, i32.or(i32.load8_u(byte), i32.shl(bit, i32.and(at.index, 7)))));
  f.set(at.index, i32.add(at.index, 1));
}

function bits(module: ModuleBuilder): void {
  const f = module.function("gatherBits", { params: PARAMS, results: [], export: true });
  const index = f.local("i32", "index");
  forEachRecord(f, f.params, (entry, row) => {
    setNextBit(f, { out: f.params.out, index }, bitAt(i32.load(entry, ColumnEntry.data), row));
  });
}

function validity(module: ModuleBuilder): void {
  const f = module.function("gatherValidity", { params: PARAMS, results: ["i32"], export: true });
  const index = f.local("i32", "index");
  const bitmap = f.local("i32", "bitmap");
  const bit = f.local("i32", "bit");
  const nulls = f.local("i32", "nulls");
  forEachRecord(f, f.params, (entry, row) => {
    f.set(bitmap, i32.load(entry, ColumnEntry.validity));
    f.set(bit, 1);
    f.if(bitmap, () => f.set(bit, bitAt(bitmap, row)));
    f.set(nulls, i32.add(nulls, i32.xor(bit, 1)));
    setNextBit(f, { out: f.params.out, index }, bit);
  });
  f.return(nulls);
}

/** Emits where a string is; null rows and rows of a dictionary without values have none. */
function locateString(
  f: Pick<GatherFunction, "local" | "set" | "emit" | "if">,
  at: { readonly entry: Local<"i32">; readonly row: Local<"i32"> },
): { readonly address: Local<"i32">; readonly bytes: Local<"i32"> } {
  const address = f.local("i32", "address");
  const bytes = f.local("i32", "bytes");
  const offset = f.local("i32", "offset");
  const bitmap = f.local("i32", "bitmap");
  const present = f.local("i32", "present");
  f.set(present, 1);
  f.set(bytes, 0);
  f.set(bitmap, i32.load(at.entry, ColumnEntry.validity));
  f.if(bitmap, () => f.set(present, bitAt(bitmap, at.row)));
  const read = (offsetsField: number, dataField: number, row: Expr<"i32">) => {
    f.set(offset, elementAt(i32.load(at.entry, offsetsField), row, 2));
    f.set(address, i32.load(offset));
    f.set(bytes, i32.sub(i32.load(offset, 4), address));
    f.set(address, i32.add(address, i32.load(at.entry, dataField)));
  };
  f.if(present, () => {
    f.if(
      i32.load(at.entry, ColumnEntry.encoded),
      () => {
        const index = i32.load(elementAt(i32.load(at.entry, ColumnEntry.data), at.row, 2));
        read(ColumnEntry.dictionaryOffsets, ColumnEntry.dictionaryData, index);
      },
      () => read(ColumnEntry.offsets, ColumnEntry.data, at.row),
    );
  });
  return { address, bytes };
}

function offsets(module: ModuleBuilder): void {
  const f = module.function("gatherOffsets", { params: PARAMS, results: ["i64"], export: true });
  const { out } = f.params;
  const total = f.local("i64", "total");
  f.emit(i32.store(out, 0));
  forEachRecord(f, f.params, (entry, row) => {
    const { bytes } = locateString(f, { entry, row });
    f.set(total, i64.add(total, i64.extend_i32_u(bytes)));
    f.set(out, i32.add(out, 4));
    f.emit(i32.store(out, i32.wrap_i64(total)));
  });
  f.return(total);
}

function heap(module: ModuleBuilder): void {
  const f = module.function("gatherHeap", { params: PARAMS, results: [], export: true });
  const { out } = f.params;
  forEachRecord(f, f.params, (entry, row) => {
    const { address, bytes } = locateString(f, { entry, row });
    f.emit(copyBytes.call(out, address, bytes));
    f.set(out, i32.add(out, bytes));
  });
}
