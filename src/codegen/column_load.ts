/**
 * Loads of input columns. The context block holds five words for each input column: validity, offsets, data, and the
 * offsets and data of its dictionary's values. They are read into locals once, before the row loop.
 */
import { type DataType, valueType } from "../arrow/mod.ts";
import { invariant, unreachable } from "../kernel/mod.ts";
import { type Expr, f32, f64, i32, i64, type Local, type Operand, type ValType } from "../wasm/mod.ts";
import type { InputColumn, Program } from "./program.ts";
import type { Binding, Origin, RowFunction } from "./scope.ts";
import { isNested, reprOf, type Value, type ValueParts } from "./value.ts";

export const COLUMN_WORDS = ["validity", "offsets", "data", "dictionaryOffsets", "dictionaryData"] as const;
export type ColumnWord = (typeof COLUMN_WORDS)[number];

/** Name of a context word of the input column at `path`: its index, then those of fields within structs. */
export function inputWord(path: readonly number[], word: ColumnWord): string {
  return `in${path.join("_")}.${word}`;
}

/** Bit `row` of the bitmap at `bitmap`, 0 or 1. */
export function bitAt(bitmap: Expr<"i32">, row: Expr<"i32">): Expr<"i32"> {
  const byte = i32.load8_u(i32.add(bitmap, i32.shr_u(row, 3)));
  return i32.and(i32.shr_u(byte, i32.and(row, 7)), 1);
}

/** Address of element `row` in an array of elements of 2^shift bytes. */
export function elementAt(base: Expr<"i32">, row: Expr<"i32">, shift: number): Expr<"i32"> {
  return shift === 0 ? i32.add(base, row) : i32.add(base, i32.shl(row, shift));
}

interface Loader {
  readonly f: RowFunction;
  readonly row: Expr<"i32">;
  readonly word: (word: ColumnWord) => Local<"i32">;
  /** As in `Place`. */
  readonly parentNull: (() => Expr<"i32">) | null;
}

/** One binding for each input column, named as the column. Emits the loads of their base addresses. */
export function bindInput(
  program: Program,
  f: RowFunction,
  options: { readonly columns: readonly InputColumn[]; readonly row: Local<"i32"> },
): Map<string, Binding> {
  const bindings = new Map<string, Binding>();
  options.columns.forEach((column, index) => {
    const place: Place = { program, f, row: options.row, path: [index], parentNull: null };
    bindings.set(column.name, bindColumn(place, column));
  });
  return bindings;
}

/** Where a column stands in the input. */
interface Place {
  readonly program: Program;
  readonly f: RowFunction;
  readonly row: Local<"i32">;
  readonly path: readonly number[];
  /** Emits the null flag of the struct around it; null when that cannot be null. */
  readonly parentNull: (() => Expr<"i32">) | null;
}

function bindColumn(place: Place, column: InputColumn): Binding {
  const { f, program, path, parentNull } = place;
  const locals = new Map<ColumnWord, Local<"i32">>();
  for (const word of wordsOf(column)) {
    const local = f.local("i32", `${column.name}_${word}`);
    f.set(local, i32.load(f.params.ctx, program.context.word(inputWord(path, word))));
    locals.set(word, local);
  }
  const word = (which: ColumnWord) => {
    const local = locals.get(which);
    invariant(local !== undefined, `${column.name} has no ${which}`);
    return local;
  };
  const loader: Loader = { f, row: place.row, word, parentNull };
  const binding = bindingOf(loader, column, path);
  if (column.children === undefined) return binding;
  const ownNull = nullFlagOf(loader, column);
  const fields = column.children.map((child, i): [string, Binding] => {
    return [child.name, bindColumn({ ...place, path: [...path, i], parentNull: ownNull }, child)];
  });
  return { ...binding, fields: new Map(fields) };
}

/** The words that code for `column` reads. */
function wordsOf(column: InputColumn): ColumnWord[] {
  const words: ColumnWord[] = column.validity ? ["validity", "data"] : ["data"];
  const dictionary = column.encoding === "dictionary";
  if (dictionary) words.push("dictionaryData");
  if (reprHasOffsets(column.type)) words.push(dictionary ? "dictionaryOffsets" : "offsets");
  return words;
}

function reprHasOffsets(type: DataType): boolean {
  const { kind } = valueType(type);
  return kind === "utf8" || kind === "largeUtf8" || kind === "binary" || kind === "largeBinary";
}

function bindingOf(loader: Loader, column: InputColumn, path: readonly number[]): Binding {
  const isTop = path.length === 1;
  const isNull = nullFlagOf(loader, column);
  const indexed = isTop && column.encoding === "dictionary" ? () => dictionaryIndex(loader, column.name) : null;
  const carried = indexed !== null || isNested(column.type);
  const inputColumn = path[0] ?? 0;
  const origin: Origin | null = carried ? { inputColumn, path, row: loader.row, index: indexed, isNull } : null;
  return { load: () => loadColumn(loader, column), origin };
}

/** Emits the flag that is 1 where the column or a struct around it is null; null when neither can be. */
function nullFlagOf(loader: Loader, column: InputColumn): (() => Expr<"i32">) | null {
  const { parentNull } = loader;
  if (!column.validity) return parentNull;
  if (parentNull === null) return () => nullFlag(loader, column.name);
  return () => {
    const flag = loader.f.local("i32", `${column.name}_null`);
    loader.f.set(flag, i32.or(parentNull(), nullFlag(loader, column.name)));
    return flag;
  };
}

function nullFlag(loader: Loader, name: string): Local<"i32"> {
  const flag = loader.f.local("i32", `${name}_null`);
  loader.f.set(flag, i32.eqz(bitAt(loader.word("validity"), loader.row)));
  return flag;
}

function dictionaryIndex(loader: Loader, name: string): Local<"i32"> {
  const index = loader.f.local("i32", `${name}_index`);
  loader.f.set(index, i32.load(elementAt(loader.word("data"), loader.row, 2)));
  return index;
}

function loadColumn(loader: Loader, column: InputColumn): Value {
  const isNull = column.type.kind === "null" ? i32.const(1) : (nullFlagOf(loader, column)?.() ?? null);
  const type = valueType(column.type);
  if (column.encoding === "plain") return { type, isNull, ...loadPlain(loader, type, column.name) };
  const row = dictionaryIndex(loader, column.name);
  const values: Loader = { ...loader, row, word: (word) => loader.word(dictionaryWord(word)) };
  return { type, isNull, ...loadPlain(values, type, column.name) };
}

function dictionaryWord(word: ColumnWord): ColumnWord {
  return word === "offsets" ? "dictionaryOffsets" : "dictionaryData";
}

/** Emits the load of a value of `type` at the loader's row. */
function loadPlain(loader: Loader, type: DataType, name: string): ValueParts {
  const { f, row } = loader;
  const at = (shift: number) => elementAt(loader.word("data"), row, shift);
  switch (type.kind) {
    case "null":
      return { repr: "i32", value: i32.const(0) };
    case "bool":
      return keep(f, name, { repr: "i32", value: bitAt(loader.word("data"), row) });
    case "int8":
      return keep(f, name, { repr: "i32", value: i32.load8_s(at(0)) });
    case "uint8":
      return keep(f, name, { repr: "i32", value: i32.load8_u(at(0)) });
    case "int16":
      return keep(f, name, { repr: "i32", value: i32.load16_s(at(1)) });
    case "uint16":
      return keep(f, name, { repr: "i32", value: i32.load16_u(at(1)) });
    case "int32":
    case "uint32":
    case "date32":
      return keep(f, name, { repr: "i32", value: i32.load(at(2)) });
    case "time":
      return reprOf(type) === "i32"
        ? keep(f, name, { repr: "i32", value: i32.load(at(2)) })
        : keep(f, name, { repr: "i64", value: i64.load(at(3)) });
    case "int64":
    case "uint64":
    case "timestamp":
    case "duration":
      return keep(f, name, { repr: "i64", value: i64.load(at(3)) });
    case "float32":
      return keep(f, name, { repr: "f32", value: f32.load(at(2)) });
    case "float64":
      return keep(f, name, { repr: "f64", value: f64.load(at(3)) });
    case "decimal":
      return keep(f, name, { repr: "i128", low: i64.load(at(4)), high: i64.load(at(4), 8) });
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary":
      return loadBytes(loader, name);
    case "fixedSizeBinary": {
      const address = i32.add(loader.word("data"), i32.mul(row, type.byteWidth));
      return keep(f, name, { repr: "bytes", address, bytes: i32.const(type.byteWidth) });
    }
    case "list":
    case "struct":
      // Only whether it is null can be asked; the rest is carried.
      return { repr: "i32", value: i32.const(0) };
    case "dictionary":
      throw new TypeError(`No register form for ${type.kind}`);
    default:
      return unreachable(type);
  }
}

/** The same parts, computed into locals. */
function keep(f: RowFunction, name: string, parts: ValueParts): ValueParts {
  const local = <T extends ValType>(type: T, value: Expr<T>): Local<T> => {
    const into = f.local(type, name);
    f.set(into, value as Operand<NoInfer<T>>);
    return into;
  };
  switch (parts.repr) {
    case "i32":
      return { repr: "i32", value: local("i32", parts.value) };
    case "i64":
      return { repr: "i64", value: local("i64", parts.value) };
    case "f32":
      return { repr: "f32", value: local("f32", parts.value) };
    case "f64":
      return { repr: "f64", value: local("f64", parts.value) };
    case "i128":
      return { repr: "i128", low: local("i64", parts.low), high: local("i64", parts.high) };
    case "bytes":
      return { repr: "bytes", address: local("i32", parts.address), bytes: local("i32", parts.bytes) };
    default:
      return unreachable(parts);
  }
}

function loadBytes(loader: Loader, name: string): ValueParts {
  const { f } = loader;
  const address = f.local("i32", `${name}_at`);
  const bytes = f.local("i32", `${name}_bytes`);
  const offset = f.local("i32", `${name}_offset`);
  const entry = f.tee(offset, elementAt(loader.word("offsets"), loader.row, 2));
  f.set(address, i32.load(entry));
  f.set(bytes, i32.sub(i32.load(offset, 4), address));
  f.set(address, i32.add(address, loader.word("data")));
  return { repr: "bytes", address, bytes };
}
