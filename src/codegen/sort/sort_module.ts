/**
 * The module of one sort: how its keys become words, and sorting by them. All functions take addresses in the arena;
 * `keys` is an array of the addresses of the key columns' tables.
 */
import { invariant } from "../../kernel/mod.ts";
import { type Expr, type FunctionBuilder, i32, i64, type Local, ModuleBuilder } from "../../wasm/mod.ts";
import type { Value } from "../value.ts";
import { ColumnEntry, type Encoding, loadCell } from "./batch_columns.ts";
import { partitionKernel, scatterKernel } from "./partition.ts";
import { Record, recordAt, runEnd, sortRecordsBody } from "./records.ts";
import { type Code, hasMore, wordCode } from "./word_code.ts";
import { CHUNK_BYTES, type KeyShape, planWords, type Word } from "./words.ts";

export interface SortKeyShape extends KeyShape {
  readonly encoding: Encoding;
}

/** What the module exports. Addresses and counts are unsigned 32-bit numbers. */
export interface SortExports {
  /** First words of rows `start` … `start + count` of a batch to `words`; a bytes word's bytes from `offset` on. */
  encode(keys: number, batch: number, start: number, count: number, words: number, offset: number): void;
  /** 1 when all of `count` words are `word`. */
  allAre(words: number, count: number, word: bigint): number;
  /** Makes the records of rows of a batch, with their first words. */
  enter(keys: number, batch: number, start: number, count: number, records: number): void;
  /** Puts word `level` into records; a bytes word's bytes from `offset` on. */
  fill(level: number, keys: number, records: number, count: number, offset: number): void;
  /** Sorts records that hold first words, from `offset` on, by all words, then by the order they have. */
  sort(keys: number, records: number, count: number, scratch: number, counts: number, offset: number): void;
  /** For each of `words` the number of splitters ≤ it to `parts` (a byte each), counted in `histogram`. */
  partition(words: number, count: number, splitters: number, parts: number, histogram: number, half: number): void;
  /** Records of rows of a batch to their parts: `positions` has the address of each part's next record. */
  scatter(words: number, parts: number, count: number, batch: number, start: number, positions: number): void;
}

export interface GeneratedSort {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly text: () => string;
  readonly words: readonly Word[];
}

export function generateSort(keys: readonly SortKeyShape[]): GeneratedSort {
  const words = planWords(keys);
  const module = new ModuleBuilder({ memory: { initialPages: 1, maximumPages: 65536, shared: true } });
  const sort: SortParts = { module, keys, words };
  encodeFunction(sort);
  allAreFunction(module);
  const fill = fillFunction(sort);
  enterFunction(sort, fill);
  sortFunctions(sort, fill);
  partitionKernel(module);
  scatterKernel(module);
  return { bytes: module.bytes(), text: () => module.text(), words };
}

interface SortParts {
  readonly module: ModuleBuilder;
  readonly keys: readonly SortKeyShape[];
  readonly words: readonly Word[];
}

function keysOf(word: Word): readonly number[] {
  return word.kind === "bytes" ? [word.key] : [...new Set(word.parts.map(({ key }) => key))];
}

/** Reads each key's table address into a local; the returned function emits a word of (batch, row). */
function wordWriter(f: Code, sort: SortParts, options: { word: Word; keys: Expr<"i32">; offset: Expr<"i32"> | null }) {
  const tables = new Map<number, Local<"i32">>();
  for (const key of keysOf(options.word)) {
    const table = f.local("i32", "table");
    f.set(table, i32.load(options.keys, 4 * key));
    tables.set(key, table);
  }
  return (at: { batch: Expr<"i32">; row: Local<"i32"> }): Expr<"i64"> => {
    const values = new Map<number, Value>();
    const value = (key: number): Value => {
      const known = values.get(key);
      if (known !== undefined) return known;
      const table = tables.get(key);
      const shape = sort.keys[key];
      invariant(table !== undefined && shape !== undefined, "a key has a table and a shape");
      const entry = f.local("i32", "entry");
      f.set(entry, i32.add(table, i32.mul(at.batch, ColumnEntry.bytes)));
      const loaded = loadCell(f, shape, { entry, row: at.row });
      values.set(key, loaded);
      return loaded;
    };
    return wordCode(f, options.word, { keys: sort.keys, value, offset: options.offset });
  };
}

function encodeFunction(sort: SortParts): void {
  const f = sort.module.function("encode", {
    params: { keys: "i32", batch: "i32", start: "i32", count: "i32", words: "i32", offset: "i32" },
    results: [],
    export: true,
  });
  const { keys, batch, start, count, words, offset } = f.params;
  const [first] = sort.words;
  invariant(first !== undefined, "there is a first word");
  const write = wordWriter(f, sort, { word: first, keys, offset: first.kind === "bytes" ? offset : null });
  const end = f.local("i32", "end");
  f.set(end, i32.add(start, count));
  f.while(i32.lt_u(start, end), () => {
    f.emit(i64.store(words, write({ batch, row: start })));
    f.set(words, i32.add(words, 8));
    f.set(start, i32.add(start, 1));
  });
}

function allAreFunction(module: ModuleBuilder): void {
  const f = module.function("allAre", {
    params: { words: "i32", count: "i32", word: "i64" },
    results: ["i32"],
    export: true,
  });
  const { words, count, word } = f.params;
  const end = f.local("i32", "end");
  f.set(end, i32.add(words, i32.shl(count, 3)));
  f.while(i32.lt_u(words, end), () => {
    f.if(i64.ne(i64.load(words), word), () => f.return(0));
    f.set(words, i32.add(words, 8));
  });
  f.return(1);
}

type Fill = (args: {
  level: Expr<"i32">;
  keys: Expr<"i32">;
  records: Expr<"i32">;
  count: Expr<"i32">;
  offset: Expr<"i32">;
}) => Expr<"void">;

function fillFunction(sort: SortParts): Fill {
  const levels = sort.words.map((word, level) => fillLevel(sort, word, level));
  const f = sort.module.function("fill", {
    params: { level: "i32", keys: "i32", records: "i32", count: "i32", offset: "i32" },
    results: [],
    export: true,
  });
  const { level, keys, records, count, offset } = f.params;
  levels.forEach((fill, index) => {
    f.if(i32.eq(level, index), () => f.emit(fill(keys, records, count, offset)));
  });
  return (args) => f.callWith(args);
}

function fillLevel(sort: SortParts, word: Word, level: number) {
  const f = sort.module.function(`fill${level}`, {
    params: { keys: "i32", records: "i32", count: "i32", offset: "i32" },
    results: [],
  });
  const { keys, records, count, offset } = f.params;
  const write = wordWriter(f, sort, { word, keys, offset: word.kind === "bytes" ? offset : null });
  const end = f.local("i32", "end");
  const batch = f.local("i32", "batch");
  const row = f.local("i32", "row");
  f.set(end, recordAt(records, count));
  f.while(i32.lt_u(records, end), () => {
    f.set(batch, i32.load(records, Record.batch));
    f.set(row, i32.load(records, Record.row));
    f.emit(i64.store(records, write({ batch, row })));
    f.set(records, i32.add(records, Record.bytes));
  });
  return (...args: readonly Expr<"i32">[]) => f.call(...args);
}

function enterFunction(sort: SortParts, fill: Fill): void {
  const f = sort.module.function("enter", {
    params: { keys: "i32", batch: "i32", start: "i32", count: "i32", records: "i32" },
    results: [],
    export: true,
  });
  const { keys, batch, start, count, records } = f.params;
  const index = f.local("i32", "index");
  const at = f.local("i32", "at");
  f.while(i32.lt_u(index, count), () => {
    f.set(at, recordAt(records, index));
    f.emit(i64.store(at, i64.const(0n)));
    f.emit(i32.store(at, i32.add(start, index), Record.row));
    f.emit(i32.store(at, batch, Record.batch));
    f.set(index, i32.add(index, 1));
  });
  f.emit(fill({ level: i32.const(0), keys, records, count, offset: i32.const(0) }));
}

function sortFunctions(sort: SortParts, fill: Fill): void {
  const byWord = sort.module.function("sortRecords", {
    params: { records: "i32", count: "i32", scratch: "i32", counts: "i32" },
    results: [],
  });
  sortRecordsBody(byWord, (args) => byWord.callWith(args));
  const refine = refineFunction(sort, fill, (args) => byWord.callWith(args));
  const f = sort.module.function("sort", {
    params: { keys: "i32", records: "i32", count: "i32", scratch: "i32", counts: "i32", offset: "i32" },
    results: [],
    export: true,
  });
  const { keys, records, count, scratch, counts, offset } = f.params;
  f.emit(byWord.call(records, count, scratch, counts));
  f.emit(refine.callWith({ keys, records, count, scratch, counts, level: i32.const(0), offset }));
}

const REFINE_PARAMS = {
  keys: "i32",
  records: "i32",
  count: "i32",
  scratch: "i32",
  counts: "i32",
  level: "i32",
  offset: "i32",
} as const;

type RefineFunction = FunctionBuilder<typeof REFINE_PARAMS, []>;
type SortByWord = (args: {
  records: Expr<"i32">;
  count: Expr<"i32">;
  scratch: Expr<"i32">;
  counts: Expr<"i32">;
}) => Expr<"void">;

/**
 * Records are sorted by words up to `level`: sorts each run of equal ones by the next word, and so on. The longest run
 * is done last, in place of the call, so that calls nest no deeper than the logarithm of the count.
 */
function refineFunction(sort: SortParts, fill: Fill, byWord: SortByWord): RefineFunction {
  const f = sort.module.function("refine", { params: REFINE_PARAMS, results: [] });
  const { keys, records, count, scratch, counts, level, offset } = f.params;
  const [at, end, next, longest, longestCount, runCount, run] = locals(f, 7);
  const step = { level: f.local("i32", "nextLevel"), offset: f.local("i32", "nextOffset") };
  const descend = (start: Local<"i32">, length: Local<"i32">, then: () => void) => {
    nextStep(f, sort, { word: i64.load(start), step });
    f.if(i32.lt_u(step.level, sort.words.length), () => {
      f.emit(fill({ ...step, keys, records: start, count: length }));
      f.emit(byWord({ records: start, count: length, scratch, counts }));
      then();
    });
  };
  const recurse = () =>
    f.emit(
      f.callWith({ keys, records: run, count: runCount, scratch, counts, level: step.level, offset: step.offset }),
    );
  f.loop((again) => {
    f.set(longestCount, 1);
    f.set(at, records);
    f.set(end, recordAt(records, count));
    f.while(i32.lt_u(at, end), () => {
      f.set(next, runEnd.call(i32.add(at, Record.bytes), end, i64.const(0n), i64.load(at)));
      f.set(run, at);
      f.set(runCount, i32.shr_u(i32.sub(next, at), 4));
      f.if(i32.gt_u(runCount, longestCount), () => {
        f.set(at, longest);
        f.set(longest, run);
        f.set(run, at);
        f.set(at, longestCount);
        f.set(longestCount, runCount);
        f.set(runCount, at);
      });
      f.if(i32.gt_u(runCount, 1), () => descend(run, runCount, recurse));
      f.set(at, next);
    });
    f.if(i32.gt_u(longestCount, 1), () => {
      descend(longest, longestCount, () => {
        f.set(records, longest);
        f.set(count, longestCount);
        f.set(level, step.level);
        f.set(offset, step.offset);
        f.br(again);
      });
    });
  });
  return f;
}

function locals(
  f: Code,
  count: number,
): readonly [Local<"i32">, Local<"i32">, Local<"i32">, Local<"i32">, Local<"i32">, Local<"i32">, Local<"i32">] {
  const made = Array.from({ length: count }, () => f.local("i32", "at"));
  return made as never;
}

/** Where the order of records goes on whose words at `level` are equal to `word`. */
function nextStep(
  f: RefineFunction,
  sort: SortParts,
  options: { word: Expr<"i64">; step: { level: Local<"i32">; offset: Local<"i32"> } },
): void {
  const { level, offset } = f.params;
  const { step } = options;
  f.set(step.level, i32.add(level, 1));
  f.set(step.offset, 0);
  sort.words.forEach((word, index) => {
    if (word.kind !== "bytes") return;
    const shape = sort.keys[word.key];
    invariant(shape !== undefined, "a key has a shape");
    f.if(i32.and(i32.eq(level, index), hasMore(options.word, shape)), () => {
      f.set(step.level, level);
      f.set(step.offset, i32.add(offset, CHUNK_BYTES));
    });
  });
}
