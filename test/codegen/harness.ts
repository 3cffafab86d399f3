/** Runs one compiled expression over rows that are written into an arena by hand, and reads the results back. */
import { Arena, type DataType, isString, isVariableWidth, valueType } from "../../src/arrow/mod.ts";
import { bindInput, inputWord } from "../../src/codegen/column_load.ts";
import { compileExpression } from "../../src/codegen/expression/mod.ts";
import { createHost } from "../../src/codegen/host_functions.ts";
import { type InputColumn, Program } from "../../src/codegen/program.ts";
import { RowScope } from "../../src/codegen/scope.ts";
import { reprOf, type Value } from "../../src/codegen/value.ts";
import type { LiteralValue, TypedExpression } from "../../src/plan/mod.ts";
import { f32, f64, i32, i64 } from "../../src/wasm/mod.ts";

export interface TestColumn {
  readonly name: string;
  readonly type: DataType;
  readonly values: readonly LiteralValue[];
  readonly dictionary?: boolean;
}

export const arena = Arena.create({ limitBytes: 1 << 30 });
/** null flag, byte length, 16 bytes of value. */
const SLOT_BYTES = 32;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface EvaluateOptions {
  readonly columns?: readonly TestColumn[];
  readonly rowCount?: number;
  /** Gets the text of the module. */
  readonly onText?: (text: string) => void;
}

export function evaluate(expression: TypedExpression, options: EvaluateOptions = {}): LiteralValue[] {
  const columns = options.columns ?? [];
  const rowCount = options.rowCount ?? columns[0]?.values.length ?? 1;
  const { program, bytes } = generate(expression, columns);
  options.onText?.(program.module.text());
  if (!WebAssembly.validate(bytes)) throw new Error(`invalid module:\n${program.module.text()}`);
  const blocks: number[] = [];
  const allocate = (size: number) => {
    const address = arena.allocateZeroed(size, 0);
    blocks.push(address);
    return address;
  };
  const host = createHost({ arena, owner: 0, sites: program.sites, resources: program.resources() });
  try {
    const ctx = allocate(program.context.bytes);
    const results = allocate(rowCount * SLOT_BYTES);
    const word = (name: string, value: number) => {
      const offset = program.context.find(name);
      if (offset !== undefined) arena.u32[(ctx + offset) >>> 2] = value;
    };
    word("results", results);
    columns.forEach((column, index) => writeColumn(column, { index, word, allocate }));
    host.prepare(ctx, (name) => program.context.find(name));
    host.bindBatch(
      ctx,
      (name) => program.context.find(name),
      (index) => (columns[index]?.dictionary ? new Set(columns[index].values).size : null),
    );
    const env = { memory: arena.memory, ...host.imports } as unknown as WebAssembly.ModuleImports;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
    (instance.exports["run"] as (ctx: number, start: number, end: number) => void)(ctx, 0, rowCount);
    return Array.from({ length: rowCount }, (_, row) => readResult(expression.type, results + row * SLOT_BYTES));
  } finally {
    host.release();
    for (const block of blocks) arena.release(block);
  }
}

function generate(expression: TypedExpression, columns: readonly TestColumn[]) {
  const program = new Program();
  const signature = { params: { ctx: "i32", start: "i32", end: "i32" }, results: [], export: true } as const;
  const f = program.module.function("run", signature);
  const row = f.local("i32", "row");
  const inputs: InputColumn[] = columns.map((column) => ({
    name: column.name,
    type: column.type,
    validity: column.values.includes(null),
    encoding: column.dictionary ? "dictionary" : "plain",
  }));
  const bindings = bindInput(program, f, { columns: inputs, row });
  const scope = new RowScope({ program, f, row, compile: compileExpression, operator: 1 }, bindings);
  f.set(row, f.params.start);
  f.while(i32.lt_u(row, f.params.end), () => {
    scope.branch(() => storeResult(scope, scope.evaluate(expression)));
    f.set(row, i32.add(row, 1));
  });
  return { program, bytes: program.module.bytes() };
}

function storeResult(scope: RowScope, value: Value): void {
  const { f } = scope;
  const at = f.local("i32", "resultAt");
  f.set(at, i32.add(scope.contextWord("results"), i32.mul(scope.row, SLOT_BYTES)));
  f.emit(i32.store(at, value.isNull ?? 0));
  switch (value.repr) {
    case "i32":
      return f.emit(i32.store(at, value.value, 8));
    case "i64":
      return f.emit(i64.store(at, value.value, 8));
    case "f32":
      return f.emit(f32.store(at, value.value, 8));
    case "f64":
      return f.emit(f64.store(at, value.value, 8));
    case "i128":
      f.emit(i64.store(at, value.low, 8));
      return f.emit(i64.store(at, value.high, 16));
    case "bytes":
      f.emit(i32.store(at, value.bytes, 4));
      return f.emit(i32.store(at, value.address, 8));
  }
}

function readResult(type: DataType, at: number): LiteralValue {
  const { view } = arena;
  if (view.getInt32(at, true) !== 0) return null;
  const value = at + 8;
  if (type.kind === "bool") return view.getInt32(value, true) !== 0;
  switch (reprOf(type)) {
    case "i32":
      return type.kind === "uint32" ? view.getUint32(value, true) : view.getInt32(value, true);
    case "i64":
      return type.kind === "uint64" ? view.getBigUint64(value, true) : view.getBigInt64(value, true);
    case "f32":
      return view.getFloat32(value, true);
    case "f64":
      return view.getFloat64(value, true);
    case "i128":
      return (view.getBigInt64(value + 8, true) << 64n) | view.getBigUint64(value, true);
    case "bytes": {
      const address = view.getUint32(value, true);
      const bytes = arena.u8.slice(address, address + view.getUint32(at + 4, true));
      return isString(valueType(type)) ? decoder.decode(bytes) : bytes;
    }
  }
}

interface Writer {
  readonly index: number;
  readonly word: (name: string, value: number) => void;
  readonly allocate: (bytes: number) => number;
}

function writeColumn(column: TestColumn, writer: Writer): void {
  const { values } = column;
  const type = valueType(column.type);
  const validity = writer.allocate((values.length + 7) >> 3);
  values.forEach((value, row) => {
    if (value !== null)
      arena.u8[validity + (row >> 3)] = (arena.u8[validity + (row >> 3)] as number) | (1 << (row & 7));
  });
  writer.word(inputWord([writer.index], "validity"), validity);
  if (!column.dictionary) {
    const { offsets, data } = writeValues(type, values, writer);
    writer.word(inputWord([writer.index], "offsets"), offsets);
    writer.word(inputWord([writer.index], "data"), data);
    return;
  }
  const distinct = [...new Set(values.filter((value) => value !== null))];
  const { offsets, data } = writeValues(type, distinct, writer);
  const indices = writer.allocate(values.length * 4);
  values.forEach((value, row) => {
    arena.u32[(indices >>> 2) + row] = value === null ? 0 : distinct.indexOf(value);
  });
  writer.word(inputWord([writer.index], "data"), indices);
  writer.word(inputWord([writer.index], "dictionaryOffsets"), offsets);
  writer.word(inputWord([writer.index], "dictionaryData"), data);
}

function writeValues(type: DataType, values: readonly LiteralValue[], writer: Writer) {
  if (isVariableWidth(type)) {
    const encoded = values.map((value) =>
      value instanceof Uint8Array ? value : encoder.encode(value === null ? "" : String(value)),
    );
    const offsets = writer.allocate(4 * (values.length + 1));
    const data = writer.allocate(encoded.reduce((sum, bytes) => sum + bytes.length, 0));
    let end = 0;
    encoded.forEach((bytes, row) => {
      arena.u8.set(bytes, data + end);
      end += bytes.length;
      arena.u32[(offsets >>> 2) + row + 1] = end;
    });
    return { offsets, data };
  }
  const data = writer.allocate(values.length * 16);
  values.forEach((value, row) => {
    if (value !== null) writeFixed(type, { data, row }, value);
  });
  return { offsets: 0, data };
}

function writeFixed(type: DataType, at: { data: number; row: number }, value: Exclude<LiteralValue, null>): void {
  const { view } = arena;
  const { data, row } = at;
  switch (type.kind) {
    case "bool":
      if (value) arena.u8[data + (row >> 3)] = (arena.u8[data + (row >> 3)] as number) | (1 << (row & 7));
      return;
    case "int8":
    case "uint8":
      return view.setInt8(data + row, Number(value));
    case "int16":
    case "uint16":
      return view.setInt16(data + row * 2, Number(value), true);
    case "int32":
    case "uint32":
    case "date32":
      return view.setInt32(data + row * 4, Number(value), true);
    case "float32":
      return view.setFloat32(data + row * 4, Number(value), true);
    case "float64":
      return view.setFloat64(data + row * 8, Number(value), true);
    case "decimal":
      view.setBigInt64(data + row * 16, BigInt.asIntN(64, value as bigint), true);
      return view.setBigInt64(data + row * 16 + 8, (value as bigint) >> 64n, true);
    case "fixedSizeBinary":
      return arena.u8.set(value as Uint8Array, data + row * type.byteWidth);
    default:
      if (reprOf(type) === "i32") view.setInt32(data + row * 4, Number(value), true);
      else view.setBigInt64(data + row * 8, value as bigint, true);
  }
}
