/**
 * Moving rows to their partitions, a column at a time. `order` sorts row numbers by partition; then each partition's
 * values are gathered, so that writes are sequential. Rows of several batches follow each other: `outs` has the address
 * at which each partition goes on.
 */
import { copyBytes } from "../../codegen/mod.ts";
import {
  type Expr,
  type FunctionBuilder,
  i32,
  i64,
  type Local,
  type ModuleBuilder,
  memory,
  v128,
} from "../../wasm/mod.ts";

export interface ScatterExports {
  /** Numbers of `count` rows from `first` on to `rows`, by partition; `ends` has how many each gets, and then where they end. */
  order(parts: number, first: number, count: number, ends: number, partitions: number, rows: number): void;
  /** Values of `rows` (partition p's up to `ends[p]`) to `outs[p]` and on, which moves along. */
  gather1(data: number, rows: number, ends: number, outs: number, partitions: number): void;
  gather2(data: number, rows: number, ends: number, outs: number, partitions: number): void;
  gather4(data: number, rows: number, ends: number, outs: number, partitions: number): void;
  gather8(data: number, rows: number, ends: number, outs: number, partitions: number): void;
  gather16(data: number, rows: number, ends: number, outs: number, partitions: number): void;
  gatherWide(data: number, rows: number, ends: number, outs: number, partitions: number, width: number): void;
  /** Bits (0: all set) into zeroed bitmaps at `outs[p]`, from bit `starts[p]` on; `zeros[p]` counts those not set. */
  gatherBits(bits: number, rows: number, ends: number, outs: number, p: number, starts: number, zeros: number): void;
  /** Adds to `totals[p]` (8 bytes) the bytes of its strings; `indices` 0 when there is no dictionary. */
  heapBytes(o: number, rows: number, ends: number, totals: number, p: number, indices: number, validity: number): void;
  /** Strings to `outs[p]`, their ends to `outOffsets[p]` (which points at the last offset) and on. */
  gatherText(
    offsets: number,
    rows: number,
    ends: number,
    outs: number,
    partitions: number,
    indices: number,
    validity: number,
    data: number,
    outOffsets: number,
  ): void;
}

const PARAMS = { data: "i32", rows: "i32", ends: "i32", outs: "i32", partitions: "i32" } as const;
type Code = Pick<FunctionBuilder, "local" | "set" | "while" | "emit" | "if">;

export function scatterKernels(module: ModuleBuilder): void {
  order(module);
  fixed(module, 0, (to, from) => i32.store8(to, i32.load8_u(from)));
  fixed(module, 1, (to, from) => i32.store16(to, i32.load16_u(from)));
  fixed(module, 2, (to, from) => i32.store(to, i32.load(from)));
  fixed(module, 3, (to, from) => i64.store(to, i64.load(from)));
  fixed(module, 4, (to, from) => v128.store(to, v128.load(from)));
  wide(module);
  bits(module);
  heapBytes(module);
  text(module);
}

function order(module: ModuleBuilder): void {
  const f = module.function("order", {
    params: { parts: "i32", first: "i32", count: "i32", ends: "i32", partitions: "i32", rows: "i32" },
    results: [],
    export: true,
  });
  const { parts, first, count, ends, partitions, rows } = f.params;
  const last = f.local("i32", "last");
  const slot = f.local("i32", "slot");
  const to = f.local("i32", "to");
  startsOf(f, { ends, partitions });
  f.set(last, i32.add(parts, i32.shl(count, 1)));
  f.while(i32.lt_u(parts, last), () => {
    f.set(slot, word(ends, i32.load16_u(parts)));
    f.set(to, i32.load(slot));
    f.emit(i32.store(word(rows, to), first));
    f.emit(i32.store(slot, i32.add(to, 1)));
    f.set(first, i32.add(first, 1));
    f.set(parts, i32.add(parts, 2));
  });
}

/** Turns counts into where each partition starts. */
function startsOf(f: Code, table: { readonly ends: Local<"i32">; readonly partitions: Local<"i32"> }): void {
  const slot = f.local("i32", "startSlot");
  const last = f.local("i32", "startsEnd");
  const start = f.local("i32", "start");
  const count = f.local("i32", "startCount");
  f.set(slot, table.ends);
  f.set(last, word(table.ends, table.partitions));
  f.while(i32.lt_u(slot, last), () => {
    f.set(count, i32.load(slot));
    f.emit(i32.store(slot, start));
    f.set(start, i32.add(start, count));
    f.set(slot, i32.add(slot, 4));
  });
}

interface Walk {
  readonly rows: Local<"i32">;
  readonly ends: Local<"i32">;
  readonly partitions: Local<"i32">;
}

/** Emits a loop over partitions and one over the rows of each; `row` is a local. */
function forEachRow(
  f: Code,
  walk: Walk,
  code: {
    open: (partition: Expr<"i32">) => void;
    row: (row: Local<"i32">) => void;
    /** Four rows at once: their numbers are at `at`. */
    fourRows?: (at: Local<"i32">) => void;
    close: (partition: Expr<"i32">) => void;
  },
): void {
  const partition = f.local("i32", "partition");
  const at = f.local("i32", "at");
  const end = f.local("i32", "end");
  const row = f.local("i32", "row");
  f.set(at, walk.rows);
  f.while(i32.lt_u(partition, walk.partitions), () => {
    f.set(end, i32.add(walk.rows, i32.shl(i32.load(i32.add(walk.ends, i32.shl(partition, 2))), 2)));
    f.if(i32.lt_u(at, end), () => {
      code.open(partition);
      const { fourRows } = code;
      if (fourRows !== undefined) {
        f.while(i32.ge_u(i32.sub(end, at), 16), () => {
          fourRows(at);
          f.set(at, i32.add(at, 16));
        });
      }
      f.while(i32.lt_u(at, end), () => {
        f.set(row, i32.load(at));
        code.row(row);
        f.set(at, i32.add(at, 4));
      });
      code.close(partition);
    });
    f.set(partition, i32.add(partition, 1));
  });
}

const word = (table: Expr<"i32">, partition: Expr<"i32">) => i32.add(table, i32.shl(partition, 2));

function fixed(module: ModuleBuilder, shift: number, move: (to: Expr<"i32">, from: Expr<"i32">) => Expr<"void">): void {
  const f = module.function(`gather${1 << shift}`, { params: PARAMS, results: [], export: true });
  const { data, outs } = f.params;
  const out = f.local("i32", "out");
  const moveOne = (index: number, row: Expr<"i32">) =>
    f.emit(move(i32.add(out, index << shift), i32.add(data, i32.shl(row, shift))));
  forEachRow(f, f.params, {
    open: (partition) => f.set(out, i32.load(word(outs, partition))),
    row: (row) => {
      moveOne(0, row);
      f.set(out, i32.add(out, 1 << shift));
    },
    fourRows: (at) => {
      for (let index = 0; index < 4; index++) moveOne(index, i32.load(at, 4 * index));
      f.set(out, i32.add(out, 4 << shift));
    },
    close: (partition) => f.emit(i32.store(word(outs, partition), out)),
  });
}

function wide(module: ModuleBuilder): void {
  const f = module.function("gatherWide", { params: { ...PARAMS, width: "i32" }, results: [], export: true });
  const { data, outs, width } = f.params;
  const out = f.local("i32", "out");
  forEachRow(f, f.params, {
    open: (partition) => f.set(out, i32.load(word(outs, partition))),
    row: (row) => {
      f.emit(memory.copy(out, i32.add(data, i32.mul(row, width)), width));
      f.set(out, i32.add(out, width));
    },
    close: (partition) => f.emit(i32.store(word(outs, partition), out)),
  });
}

function bitAt(bitmap: Expr<"i32">, row: Expr<"i32">): Expr<"i32"> {
  return i32.and(i32.shr_u(i32.load8_u(i32.add(bitmap, i32.shr_u(row, 3))), i32.and(row, 7)), 1);
}

function bits(module: ModuleBuilder): void {
  const params = { ...PARAMS, starts: "i32", zeros: "i32" } as const;
  const f = module.function("gatherBits", { params, results: [], export: true });
  const { data, outs, starts, zeros } = f.params;
  const out = f.local("i32", "out");
  const position = f.local("i32", "position");
  const byte = f.local("i32", "byte");
  const bit = f.local("i32", "bit");
  const count = f.local("i32", "zeroCount");
  const flush = () => f.emit(i32.store8(i32.add(out, i32.shr_u(position, 3)), byte));
  forEachRow(f, f.params, {
    open: (partition) => {
      f.set(out, i32.load(word(outs, partition)));
      f.set(position, i32.load(word(starts, partition)));
      f.set(byte, i32.load8_u(i32.add(out, i32.shr_u(position, 3))));
      f.set(count, 0);
    },
    row: (row) => {
      f.set(bit, 1);
      f.if(data, () => f.set(bit, bitAt(data, row)));
      f.set(count, i32.add(count, i32.xor(bit, 1)));
      f.set(byte, i32.or(byte, i32.shl(bit, i32.and(position, 7))));
      f.if(i32.eq(i32.and(position, 7), 7), () => {
        flush();
        f.set(byte, 0);
      });
      f.set(position, i32.add(position, 1));
    },
    close: (partition) => {
      f.if(i32.and(position, 7), flush);
      f.emit(i32.store(word(starts, partition), position));
      f.emit(i32.store(word(zeros, partition), i32.add(i32.load(word(zeros, partition)), count)));
    },
  });
}

interface TextParams {
  readonly data: Local<"i32">;
  readonly indices: Local<"i32">;
  readonly validity: Local<"i32">;
}

/** Emits `body` for rows that are not null, with the address of the string's offset; `data` has the offsets. */
function ifPresent(f: Code, params: TextParams, row: Local<"i32">, body: (offset: Local<"i32">) => void): void {
  const present = f.local("i32", "present");
  const offset = f.local("i32", "offset");
  f.set(present, 1);
  f.if(params.validity, () => f.set(present, bitAt(params.validity, row)));
  f.if(present, () => {
    f.set(offset, row);
    f.if(params.indices, () => f.set(offset, i32.load(word(params.indices, row))));
    f.set(offset, word(params.data, offset));
    body(offset);
  });
}

function heapBytes(module: ModuleBuilder): void {
  const params = { ...PARAMS, indices: "i32", validity: "i32" } as const;
  const f = module.function("heapBytes", { params, results: [], export: true });
  const { outs } = f.params;
  const total = f.local("i64", "total");
  const slot = f.local("i32", "slot");
  forEachRow(f, f.params, {
    open: (partition) => {
      f.set(slot, i32.add(outs, i32.shl(partition, 3)));
      f.set(total, i64.load(slot));
    },
    row: (row) =>
      ifPresent(f, f.params, row, (offset) =>
        f.set(total, i64.add(total, i64.extend_i32_u(i32.sub(i32.load(offset, 4), i32.load(offset))))),
      ),
    close: () => f.emit(i64.store(slot, total)),
  });
}

function text(module: ModuleBuilder): void {
  const params = { ...PARAMS, indices: "i32", validity: "i32", bytes: "i32", outOffsets: "i32" } as const;
  const f = module.function("gatherText", { params, results: [], export: true });
  const { outs, bytes, outOffsets } = f.params;
  const base = f.local("i32", "base");
  const used = f.local("i32", "used");
  const out = f.local("i32", "out");
  const length = f.local("i32", "length");
  forEachRow(f, f.params, {
    open: (partition) => {
      f.set(base, i32.load(word(outs, partition)));
      f.set(out, i32.load(word(outOffsets, partition)));
      f.set(used, i32.load(out));
    },
    row: (row) => {
      ifPresent(f, f.params, row, (offset) => {
        f.set(length, i32.sub(i32.load(offset, 4), i32.load(offset)));
        f.emit(copyBytes.call(i32.add(base, used), i32.add(bytes, i32.load(offset)), length));
        f.set(used, i32.add(used, length));
      });
      f.set(out, i32.add(out, 4));
      f.emit(i32.store(out, used));
    },
    close: (partition) => f.emit(i32.store(word(outOffsets, partition), out)),
  });
}
