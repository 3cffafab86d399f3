/**
 * Records: what is sorted. Sixteen bytes for each row: a word of its keys, and where the row is. Kernels keep equal
 * words in the order in which they were.
 */
import { type Expr, type FunctionBuilder, i32, i64, kernel, type Local, memory, v128 } from "../../wasm/mod.ts";

export const Record = { word: 0, row: 8, batch: 12, bytes: 16 } as const;

/** Bytes of the memory that `sortRecords` counts digits in. */
export const COUNTS_BYTES = 2 * 256 * 4;

/** Up to so many records are sorted by insertion. */
const INSERTION_MAX = 20;
/** From so many records on, two digits are sorted by before looking again. */
const TWO_DIGITS_MIN = 1024;

const DIGIT_BITS = 8;
const DIGITS = 1 << DIGIT_BITS;

export function recordAt(records: Expr<"i32">, index: Expr<"i32">): Expr<"i32"> {
  return i32.add(records, i32.shl(index, 4));
}

const insertionSort = kernel("insertionSort", { params: { records: "i32", count: "i32" }, results: [] }, (f) => {
  const { records, count } = f.params;
  const end = f.local("i32", "end");
  const at = f.local("i32", "at");
  const hole = f.local("i32", "hole");
  const moving = f.local("v128", "moving");
  const word = f.local("i64", "word");
  f.set(end, recordAt(records, count));
  f.set(at, i32.add(records, Record.bytes));
  f.while(i32.lt_u(at, end), () => {
    f.set(word, i64.load(at));
    f.if(i64.gt_u(i64.load(i32.sub(at, Record.bytes)), word), () => {
      f.set(moving, v128.load(at));
      f.set(hole, at);
      f.loop((again) => {
        f.emit(v128.store(hole, v128.load(i32.sub(hole, Record.bytes))));
        f.set(hole, i32.sub(hole, Record.bytes));
        f.if(i32.gt_u(hole, records), () => f.brIf(again, i64.gt_u(i64.load(i32.sub(hole, Record.bytes)), word)));
      });
      f.emit(v128.store(hole, moving));
    });
    f.set(at, i32.add(at, Record.bytes));
  });
});

/** Bits in which words differ. */
const differingBits = kernel("differingBits", { params: { records: "i32", count: "i32" }, results: ["i64"] }, (f) => {
  const { records, count } = f.params;
  const end = f.local("i32", "end");
  const first = f.local("i64", "first");
  const bits = f.local("i64", "bits");
  f.set(end, recordAt(records, count));
  f.set(first, i64.load(records));
  f.while(i32.lt_u(records, end), () => {
    f.set(bits, i64.or(bits, i64.xor(i64.load(records), first)));
    f.set(records, i32.add(records, Record.bytes));
  });
  f.return(bits);
});

function digitOf(word: Expr<"i64">, shift: Expr<"i64">): Expr<"i32"> {
  return i32.and(i32.wrap_i64(i64.shr_u(word, shift)), DIGITS - 1);
}

/** Moves records to `to`, stably by the digit at `shift`; `counts` are how many have each digit. */
const scatterByDigit = kernel(
  "scatterByDigit",
  { params: { from: "i32", to: "i32", count: "i32", counts: "i32", shift: "i64" }, results: [] },
  (f) => {
    const { from, to, count, counts, shift } = f.params;
    const at = f.local("i32", "at");
    const next = f.local("i32", "next");
    const size = f.local("i32", "size");
    const end = f.local("i32", "end");
    f.set(at, counts);
    f.set(next, to);
    f.set(end, i32.add(counts, DIGITS * 4));
    f.while(i32.lt_u(at, end), () => {
      f.set(size, i32.shl(i32.load(at), 4));
      f.emit(i32.store(at, next));
      f.set(next, i32.add(next, size));
      f.set(at, i32.add(at, 4));
    });
    f.set(end, recordAt(from, count));
    f.while(i32.lt_u(from, end), () => {
      f.set(at, i32.add(counts, i32.shl(digitOf(i64.load(from), shift), 2)));
      f.set(next, i32.load(at));
      f.emit(v128.store(next, v128.load(from)));
      f.emit(i32.store(at, i32.add(next, Record.bytes)));
      f.set(from, i32.add(from, Record.bytes));
    });
  },
);

/** One pass over the eight bits below bit `high`, there and back. */
const sortByDigit = kernel(
  "sortByDigit",
  { params: { records: "i32", count: "i32", scratch: "i32", counts: "i32", shift: "i64" }, results: [] },
  (f) => {
    const { records, count, scratch, counts, shift } = f.params;
    const at = f.local("i32", "at");
    const slot = f.local("i32", "slot");
    const end = f.local("i32", "end");
    f.emit(memory.fill(counts, 0, DIGITS * 4));
    f.set(at, records);
    f.set(end, recordAt(records, count));
    f.while(i32.lt_u(at, end), () => {
      f.set(slot, i32.add(counts, i32.shl(digitOf(i64.load(at), shift), 2)));
      f.emit(i32.store(slot, i32.add(i32.load(slot), 1)));
      f.set(at, i32.add(at, Record.bytes));
    });
    f.emit(scatterByDigit.call(records, scratch, count, counts, shift));
    f.emit(memory.copy(records, scratch, i32.shl(count, 4)));
  },
);

/** Two passes over sixteen bits from `shift`. */
const sortByTwoDigits = kernel(
  "sortByTwoDigits",
  { params: { records: "i32", count: "i32", scratch: "i32", counts: "i32", shift: "i64" }, results: [] },
  (f) => {
    const { records, count, scratch, counts, shift } = f.params;
    const at = f.local("i32", "at");
    const slot = f.local("i32", "slot");
    const end = f.local("i32", "end");
    const word = f.local("i64", "word");
    const second = f.local("i64", "second");
    f.set(second, i64.add(shift, BigInt(DIGIT_BITS)));
    f.emit(memory.fill(counts, 0, COUNTS_BYTES));
    f.set(at, records);
    f.set(end, recordAt(records, count));
    f.while(i32.lt_u(at, end), () => {
      f.set(word, i64.load(at));
      f.set(slot, i32.add(counts, i32.shl(digitOf(word, shift), 2)));
      f.emit(i32.store(slot, i32.add(i32.load(slot), 1)));
      f.set(slot, i32.add(counts, i32.shl(digitOf(word, second), 2)));
      f.emit(i32.store(slot, i32.add(i32.load(slot, DIGITS * 4), 1), DIGITS * 4));
      f.set(at, i32.add(at, Record.bytes));
    });
    f.emit(scatterByDigit.call(records, scratch, count, counts, shift));
    f.emit(scatterByDigit.call(scratch, records, count, i32.add(counts, DIGITS * 4), second));
  },
);

/** Address of the first record from `at` on whose word, shifted, is not `word`; `end` if there is none. */
export const runEnd = kernel(
  "runEnd",
  { params: { at: "i32", end: "i32", shift: "i64", word: "i64" }, results: ["i32"] },
  (f) => {
    const { at, end, shift, word } = f.params;
    f.loop((again) => {
      f.if(i32.ge_u(at, end), () => f.return(end));
      f.if(i64.ne(i64.shr_u(i64.load(at), shift), word), () => f.return(at));
      f.set(at, i32.add(at, Record.bytes));
      f.br(again);
    });
  },
);

export type SortRecordsArgs = {
  readonly records: Expr<"i32">;
  readonly count: Expr<"i32">;
  readonly scratch: Expr<"i32">;
  readonly counts: Expr<"i32">;
};

/**
 * Body of `sortRecords(records, count, scratch, counts)`: stable, by word. Sorts by the top bits that differ, then each
 * run that is still equal by what is left; `again` calls the function itself for a long run. Few bits suffice to tell
 * most of n records apart, so most runs are short and sorted by insertion.
 */
export function sortRecordsBody(f: SortFunction, again: (args: SortRecordsArgs) => Expr<"void">): void {
  const { records, count, scratch, counts } = f.params;
  const high = f.local("i64", "high");
  const shift = f.local("i64", "shift");
  f.if(i32.le_u(count, INSERTION_MAX), () => {
    f.emit(insertionSort.call(records, count));
    f.return();
  });
  f.set(high, i64.sub(64n, i64.clz(differingBits.call(records, count))));
  f.if(i64.eqz(high), () => f.return());
  const below = (bits: number) => {
    f.set(shift, i64.sub(high, BigInt(bits)));
    f.if(i64.lt_s(shift, 0n), () => f.set(shift, i64.const(0n)));
  };
  f.if(
    i32.and(i32.ge_u(count, TWO_DIGITS_MIN), i64.gt_u(high, BigInt(DIGIT_BITS))),
    () => {
      below(2 * DIGIT_BITS);
      f.emit(sortByTwoDigits.call(records, count, scratch, counts, shift));
    },
    () => {
      below(DIGIT_BITS);
      f.emit(sortByDigit.call(records, count, scratch, counts, shift));
    },
  );
  f.if(i64.eqz(shift), () => f.return());
  sortRuns(f, { shift, again });
}

type SortFunction = FunctionBuilder<{ records: "i32"; count: "i32"; scratch: "i32"; counts: "i32" }, []>;

function sortRuns(
  f: SortFunction,
  options: { readonly shift: Local<"i64">; readonly again: (args: SortRecordsArgs) => Expr<"void"> },
): void {
  const { records, count, scratch, counts } = f.params;
  const end = f.local("i32", "end");
  const next = f.local("i32", "next");
  const length = f.local("i32", "length");
  f.set(end, recordAt(records, count));
  f.while(i32.lt_u(records, end), () => {
    const word = i64.shr_u(i64.load(records), options.shift);
    f.set(next, runEnd.call(i32.add(records, Record.bytes), end, options.shift, word));
    f.set(length, i32.shr_u(i32.sub(next, records), 4));
    f.if(i32.gt_u(length, 1), () => {
      f.if(
        i32.le_u(length, INSERTION_MAX),
        () => f.emit(insertionSort.call(records, length)),
        () => f.emit(options.again({ records, count: length, scratch, counts })),
      );
    });
    f.set(records, next);
  });
}
