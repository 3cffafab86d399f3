/**
 * Batches as user functions of `mapBatches` see them: tables and vectors with the names of apache-arrow's, over the
 * arena's memory and valid during the call.
 */
import {
  type Arena,
  ArrowError,
  type Batch,
  BatchBuilder,
  type Cell,
  type CellInput,
  type CellReader,
  type Column,
  columnReader,
  type DataType,
  type Field,
  type OwnerId,
  retainBatch,
  type Schema,
  sliceBatch,
} from "../arrow/mod.ts";
import type { Rows } from "./stage.ts";

type Values =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** Rows of one column. */
export class UserVector {
  readonly length: number;
  readonly nullCount: number;
  readonly #arena: Arena;
  readonly #column: Column;
  readonly #start: number;
  readonly #read: CellReader;

  constructor(arena: Arena, column: Column, range: { readonly start: number; readonly end: number }) {
    this.#arena = arena;
    this.#column = column;
    this.#start = range.start;
    this.#read = columnReader(arena, column);
    this.length = range.end - range.start;
    const whole = this.length === column.length;
    this.nullCount = whole || column.nullCount === 0 ? column.nullCount : this.#countNulls();
  }

  get(row: number): Cell {
    return this.#read(this.#start + row);
  }

  /** The values themselves where the type has a fixed width and there are no nulls, else the cells. */
  toArray(): Values | Cell[] {
    const values = this.nullCount === 0 ? valuesOf(this.#arena, this.#column) : null;
    return values?.subarray(this.#start, this.#start + this.length) ?? [...this];
  }

  *[Symbol.iterator](): Generator<Cell, void> {
    for (let row = 0; row < this.length; row++) yield this.get(row);
  }

  #countNulls(): number {
    let nulls = 0;
    for (const cell of this) if (cell === null) nulls++;
    return nulls;
  }
}

/** Rows of a batch as columns. */
export class UserTable {
  readonly numRows: number;
  readonly numCols: number;
  readonly rows: Rows;
  readonly #arena: Arena;

  constructor(arena: Arena, rows: Rows) {
    this.#arena = arena;
    this.rows = rows;
    this.numRows = rows.end - rows.start;
    this.numCols = rows.batch.columns.length;
  }

  getChild(name: string): UserVector | null {
    const column = this.rows.batch.columns[this.rows.batch.schema.fields.findIndex((field) => field.name === name)];
    return column === undefined ? null : new UserVector(this.#arena, column, this.rows);
  }
}

/** What the function returned as a batch of `schema` that the caller owns; null when it has no rows. */
export function batchFromUser(
  arena: Arena,
  result: unknown,
  options: { readonly rows: Rows; readonly schema: Schema; readonly owner: OwnerId },
): Batch | null {
  if (typeof result !== "object" || result === null) {
    throw new ArrowError("type", `mapBatches must return an object of columns, but returned ${String(result)}`);
  }
  if (result instanceof UserTable && result.rows === options.rows) return inputRows(arena, options);
  return fromColumns(arena, result, options);
}

function inputRows(
  arena: Arena,
  options: { readonly rows: Rows; readonly schema: Schema; readonly owner: OwnerId },
): Batch {
  const { batch, start, end } = options.rows;
  if (start !== 0 || end !== batch.rowCount) return sliceBatch(arena, batch, start, end, options.owner);
  retainBatch(arena, batch);
  return { ...batch, schema: options.schema };
}

/** Columns by name, of an object or of a table (also one of apache-arrow). */
function fromColumns(
  arena: Arena,
  result: object,
  options: { readonly schema: Schema; readonly owner: OwnerId },
): Batch | null {
  const { fields } = options.schema;
  const columns = fields.map((field) => columnOf(result, field));
  const rowCount = columns[0]?.length ?? 0;
  columns.forEach((column, i) => {
    if (column.length === rowCount) return;
    const names = `${fields[0]?.name} has ${rowCount} rows, ${fields[i]?.name} has ${column.length}`;
    throw new ArrowError("type", `columns must be equally long, but ${names}`);
  });
  if (rowCount === 0) return null;
  return (
    copiedWhole(arena, columns, { ...options, rowCount }) ?? copiedByCell(arena, columns, { ...options, rowCount })
  );
}

interface UserColumn {
  readonly length: number;
  readonly values: ArrayLike<unknown>;
}

function columnOf(result: object, field: Field): UserColumn {
  const child: unknown =
    "getChild" in result && typeof result.getChild === "function"
      ? (result as { getChild(name: string): unknown }).getChild(field.name)
      : (result as Record<string, unknown>)[field.name];
  if (child === undefined || child === null) throw new ArrowError("type", `column ${field.name} is missing`);
  const hasToArray = typeof child === "object" && "toArray" in child && typeof child.toArray === "function";
  const values = (hasToArray ? (child as { toArray(): unknown }).toArray() : child) as ArrayLike<unknown>;
  if (typeof values !== "object" || typeof values.length !== "number") {
    throw new ArrowError("type", `column ${field.name} must be an array, a typed array or a vector`);
  }
  return { length: values.length, values };
}

/** All columns by memory copy, when each is a typed array of just its type's form. */
function copiedWhole(
  arena: Arena,
  columns: readonly UserColumn[],
  options: { readonly schema: Schema; readonly owner: OwnerId; readonly rowCount: number },
): Batch | null {
  const { fields } = options.schema;
  const fits = columns.every((column, i) => column.values.constructor === viewType((fields[i] as Field).type));
  if (!fits) return null;
  const blocks: number[] = [];
  const copied = columns.map((column, i): Column => {
    const values = column.values as Values;
    const data = arena.allocate(values.byteLength, options.owner);
    blocks.push(data);
    arena.u8.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), data);
    const { type } = fields[i] as Field;
    return { type, length: column.length, nullCount: 0, validity: 0, offsets: 0, data, children: [], dictionary: null };
  });
  return { schema: options.schema, rowCount: options.rowCount, columns: copied, blocks };
}

function copiedByCell(
  arena: Arena,
  columns: readonly UserColumn[],
  options: { readonly schema: Schema; readonly owner: OwnerId; readonly rowCount: number },
): Batch {
  const builder = new BatchBuilder(arena, options.schema, options.owner, options.rowCount);
  try {
    for (let row = 0; row < options.rowCount; row++) {
      builder.appendValues(columns.map((column) => (column.values[row] ?? null) as CellInput));
    }
    return builder.finish();
  } catch (error) {
    builder.abort();
    throw error;
  }
}

/** The typed array that holds values of the type as the arena does. */
function viewType(type: DataType): (new (buffer: ArrayBufferLike, offset: number, length: number) => Values) | null {
  switch (type.kind) {
    case "int8":
      return Int8Array;
    case "uint8":
      return Uint8Array;
    case "int16":
      return Int16Array;
    case "uint16":
      return Uint16Array;
    case "int32":
    case "date32":
      return Int32Array;
    case "uint32":
      return Uint32Array;
    case "float32":
      return Float32Array;
    case "float64":
      return Float64Array;
    case "int64":
    case "timestamp":
    case "duration":
      return BigInt64Array;
    case "uint64":
      return BigUint64Array;
    default:
      return null;
  }
}

function valuesOf(arena: Arena, column: Column): Values | null {
  const View = column.dictionary === null ? viewType(column.type) : null;
  return View === null ? null : new View(arena.memory.buffer, column.data, column.length);
}
