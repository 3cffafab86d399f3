/**
 * Terminal that writes rows into a new batch. For every output column the context block holds the addresses of its
 * buffers; `flush` hands a full batch to the host, which puts fresh buffers in. Strings that come unchanged from a
 * dictionary column stay indices, nested columns stay row numbers which the host gathers.
 */
import { byteWidth, type DataType, NULL_ROW, type Schema, valueType } from "../arrow/mod.ts";
import { invariant, unreachable } from "../kernel/mod.ts";
import type { OperatorId } from "../plan/mod.ts";
import { type Expr, f32, f64, hostFunction, i32, i64, kernel, type Local, memory, select } from "../wasm/mod.ts";
import { elementAt } from "./column_load.ts";
import { Header } from "./context.ts";
import type { RowScope } from "./scope.ts";
import type { TerminalCode } from "./steps.ts";
import { isNested, type Value } from "./value.ts";

export interface EmitTerminal {
  readonly kind: "emit";
  readonly operator: OperatorId;
  readonly schema: Schema;
}

/** How the host must make the buffers of an output column and finish it. */
export type EmittedColumn =
  | { readonly kind: "fixed"; readonly byteWidth: number; readonly nullable: boolean }
  | { readonly kind: "bits"; readonly nullable: boolean }
  | { readonly kind: "bytes"; readonly nullable: boolean }
  | { readonly kind: "dictionary"; readonly inputColumn: number; readonly nullable: boolean }
  | { readonly kind: "carried"; readonly path: readonly number[] }
  | { readonly kind: "null" };

export const OUTPUT_WORDS = ["validity", "offsets", "data", "heapUsed", "heapCapacity", "nulls"] as const;
export type OutputWord = (typeof OUTPUT_WORDS)[number];

export const outputRowCount = "out.rowCount";
export const outputCapacity = "out.capacity";

export function outputWord(index: number, word: OutputWord): string {
  return `out${index}.${word}`;
}

/** Takes the finished rows, puts fresh buffers and a row count of 0 into the context block; may ask to stop. */
const flush = hostFunction("env", "flush", { params: [], results: [] });
/** Makes the heap of an output column hold at least so many bytes, keeping what it has. */
const reserve = hostFunction("env", "reserveHeap", { params: ["i32", "i32"], results: [] });

/** Copies short byte strings eight at a time; may write up to 7 bytes too many, which buffers have room for. */
export const copyBytes = kernel("copyBytes", { params: { to: "i32", from: "i32", bytes: "i32" }, results: [] }, (f) => {
  const { to, from, bytes } = f.params;
  f.if(
    i32.gt_u(bytes, 64),
    () => f.emit(memory.copy(to, from, bytes)),
    () => {
      const done = f.local("i32", "done");
      f.while(i32.lt_u(done, bytes), () => {
        f.emit(i64.store(i32.add(to, done), i64.load(i32.add(from, done))));
        f.set(done, i32.add(done, 8));
      });
    },
  );
});

interface Output {
  readonly name: string;
  readonly index: number;
  readonly plan: EmittedColumn;
  readonly type: DataType;
}

export function emitCode(terminal: EmitTerminal, emitted: EmittedColumn[]): TerminalCode {
  let outputs: Output[] | null = null;
  let rowCount: Local<"i32"> | null = null;
  return {
    prologue(scope) {
      rowCount = scope.f.local("i32", "outRow");
      scope.f.set(rowCount, scope.contextWord(outputRowCount));
    },
    row(scope) {
      const first = outputs === null;
      outputs ??= terminal.schema.fields.map((field, index) => {
        const plan = planColumn(scope, field.name, field.type);
        return { name: field.name, index, plan, type: field.type };
      });
      if (first) emitted.push(...outputs.map((output) => output.plan));
      invariant(rowCount !== null, "emit without prologue");
      emitRow(scope, outputs, rowCount);
    },
    epilogue(scope) {
      invariant(rowCount !== null, "emit without prologue");
      storeWord(scope, outputRowCount, rowCount);
      scope.f.emit(i32.store(scope.ctx, scope.row, Header.nextRow));
    },
  };
}

function planColumn(scope: RowScope, name: string, declared: DataType): EmittedColumn {
  const origin = scope.origin(name);
  // Nested values are not computed: what comes from no column is a literal null.
  if (isNested(declared)) return origin === null ? { kind: "null" } : { kind: "carried", path: origin.path };
  const type = valueType(declared);
  if (type.kind === "null") return { kind: "null" };
  // Whether it can be null is known from the code that loads it.
  if (origin?.index) return { kind: "dictionary", inputColumn: origin.inputColumn, nullable: origin.isNull !== null };
  const value = scope.column(name);
  const nullable = value.isNull !== null;
  if (value.repr === "bytes" && type.kind !== "fixedSizeBinary") return { kind: "bytes", nullable };
  if (type.kind === "bool") return { kind: "bits", nullable };
  return { kind: "fixed", byteWidth: byteWidth(type), nullable };
}

function emitRow(scope: RowScope, outputs: readonly Output[], rowCount: Local<"i32">): void {
  const { f } = scope;
  for (const output of outputs) emitColumn(scope, output, rowCount);
  f.set(rowCount, i32.add(rowCount, 1));
  f.if(i32.ge_u(rowCount, scope.contextWord(outputCapacity)), () => {
    storeWord(scope, outputRowCount, rowCount);
    f.emit(flush.call());
    f.set(rowCount, scope.contextWord(outputRowCount));
    // What is full goes on before there is more: a row may have made millions.
    f.if(i32.load(scope.ctx, Header.isFull), () => f.set(f.params.end, i32.add(scope.row, 1)));
  });
}

function emitColumn(scope: RowScope, output: Output, rowCount: Local<"i32">): void {
  const { plan, name } = output;
  switch (plan.kind) {
    case "null":
      return;
    case "carried": {
      const origin = scope.origin(name);
      invariant(origin !== null, `${name} lost its origin`);
      const row = origin.isNull === null ? origin.row : select(origin.isNull(), i32.const(NULL_ROW | 0), origin.row);
      scope.f.emit(i32.store(elementAt(word(scope, output, "data"), rowCount, 2), row));
      return;
    }
    case "dictionary": {
      const origin = scope.origin(name);
      invariant(origin?.index, `${name} lost its dictionary`);
      storeValidity(scope, output, { isNull: origin.isNull?.() ?? null, rowCount });
      scope.f.emit(i32.store(elementAt(word(scope, output, "data"), rowCount, 2), origin.index()));
      return;
    }
    case "bits":
    case "bytes":
    case "fixed": {
      const value = scope.column(name);
      storeValidity(scope, output, { isNull: value.isNull, rowCount });
      storeValue(scope, output, { value, rowCount });
      return;
    }
    default:
      unreachable(plan);
  }
}

function word(scope: RowScope, output: Output, which: OutputWord): Expr<"i32"> {
  return scope.contextWord(outputWord(output.index, which));
}

function storeWord(scope: RowScope, name: string, value: Expr<"i32">): void {
  scope.f.emit(i32.store(scope.ctx, value, scope.program.context.word(name)));
}

/** Bitmaps start as zeros: a set bit says that the value is there. */
function setBit(scope: RowScope, bitmap: Expr<"i32">, options: { at: Expr<"i32">; bit: Expr<"i32"> }): void {
  const { f } = scope;
  const byte = f.local("i32", "byte");
  f.set(byte, i32.add(bitmap, i32.shr_u(options.at, 3)));
  const shifted = i32.shl(options.bit, i32.and(options.at, 7));
  f.emit(i32.store8(byte, i32.or(i32.load8_u(byte), shifted)));
}

function storeValidity(
  scope: RowScope,
  output: Output,
  options: { isNull: Expr<"i32"> | null; rowCount: Local<"i32"> },
): void {
  const { rowCount } = options;
  const { plan } = output;
  if (plan.kind === "null" || plan.kind === "carried" || !plan.nullable) {
    invariant(options.isNull === null, `${output.name} can be null on one path only`);
    return;
  }
  const isNull = options.isNull ?? i32.const(0);
  setBit(scope, word(scope, output, "validity"), { at: rowCount, bit: i32.eqz(isNull) });
  const nulls = outputWord(output.index, "nulls");
  storeWord(scope, nulls, i32.add(scope.contextWord(nulls), isNull));
}

function storeValue(scope: RowScope, output: Output, options: { value: Value; rowCount: Local<"i32"> }): void {
  const { f } = scope;
  const { value, rowCount } = options;
  const data = word(scope, output, "data");
  if (output.plan.kind === "bits") {
    invariant(value.repr === "i32", "a bool is an i32");
    const present = value.isNull === null ? value.value : i32.and(value.value, i32.eqz(value.isNull));
    setBit(scope, data, { at: rowCount, bit: present });
    return;
  }
  switch (value.repr) {
    case "i32":
      storeInt(scope, output, { at: (shift) => elementAt(data, rowCount, shift), value: value.value });
      return;
    case "i64":
      f.emit(i64.store(elementAt(data, rowCount, 3), value.value));
      return;
    case "f32":
      f.emit(f32.store(elementAt(data, rowCount, 2), value.value));
      return;
    case "f64":
      f.emit(f64.store(elementAt(data, rowCount, 3), value.value));
      return;
    case "i128": {
      const at = f.local("i32", "at");
      f.set(at, elementAt(data, rowCount, 4));
      f.emit(i64.store(at, value.low));
      f.emit(i64.store(at, value.high, 8));
      return;
    }
    case "bytes":
      storeBytes(scope, output, { ...value, rowCount });
      return;
    default:
      unreachable(value);
  }
}

function storeInt(
  scope: RowScope,
  output: Output,
  options: { at: (shift: number) => Expr<"i32">; value: Expr<"i32"> },
): void {
  invariant(output.plan.kind === "fixed", "an integer has a fixed width");
  const { byteWidth } = output.plan;
  if (byteWidth === 1) scope.f.emit(i32.store8(options.at(0), options.value));
  else if (byteWidth === 2) scope.f.emit(i32.store16(options.at(1), options.value));
  else scope.f.emit(i32.store(options.at(2), options.value));
}

interface BytesToStore {
  readonly isNull: Expr<"i32"> | null;
  readonly address: Expr<"i32">;
  readonly bytes: Expr<"i32">;
  readonly rowCount: Local<"i32">;
}

function storeBytes(scope: RowScope, output: Output, value: BytesToStore): void {
  const { f } = scope;
  const bytes = f.local("i32", "bytes");
  f.set(bytes, value.bytes);
  if (value.isNull !== null) f.if(value.isNull, () => f.set(bytes, 0));
  if (output.plan.kind === "fixed") {
    const at = i32.add(word(scope, output, "data"), i32.mul(value.rowCount, output.plan.byteWidth));
    f.emit(memory.copy(at, value.address, bytes));
    return;
  }
  const used = f.local("i32", "used");
  const end = f.local("i32", "end");
  f.set(used, word(scope, output, "heapUsed"));
  f.set(end, i32.add(used, bytes));
  f.if(i32.gt_u(end, word(scope, output, "heapCapacity")), () => f.emit(reserve.call(output.index, end)));
  f.emit(copyBytes.call(i32.add(word(scope, output, "data"), used), value.address, bytes));
  storeWord(scope, outputWord(output.index, "heapUsed"), end);
  f.emit(i32.store(elementAt(word(scope, output, "offsets"), value.rowCount, 2), end, 4));
}
