import {
  ArrowError,
  type Batch,
  BatchBuilder,
  type Cell,
  columnReader,
  releaseBatch,
  type Schema,
  typeName,
} from "../arrow/mod.ts";
import { invariant } from "../kernel/mod.ts";
import { ExecError } from "./error.ts";
import type { UserStage as UserSpec } from "./messages.ts";
import type { Rows, Stage } from "./stage.ts";
import { batchFromUser, UserTable } from "./user_batch.ts";
import type { WorkerContext } from "./worker_context.ts";

type Row = Record<string, Cell>;

/**
 * Runs a user's JavaScript function over rows or batches. Rows are fresh plain objects, as the function may keep them;
 * what it returns is checked against the declared schema. Anything thrown is reported with operator and row.
 */
export class UserStage implements Stage {
  readonly #worker: WorkerContext;
  readonly #spec: UserSpec;
  readonly #next: Stage;
  readonly #capacityRows: number;
  readonly #fn: (input: unknown) => unknown;
  #builder: BatchBuilder | null = null;
  #rowBase = 0n;
  #pushedRows = 0;

  constructor(worker: WorkerContext, spec: UserSpec, options: { readonly capacityRows: number; readonly next: Stage }) {
    const fn = worker.userFunctions.get(spec.operator);
    invariant(fn !== undefined, `the function of operator ${spec.operator} is not in this worker`);
    this.#worker = worker;
    this.#spec = spec;
    this.#next = options.next;
    this.#capacityRows = options.capacityRows;
    // What it takes is checked nowhere but in the user's own types.
    this.#fn = fn as (input: unknown) => unknown;
  }

  async push(rows: Rows): Promise<void> {
    if (this.#pushedRows === 0) this.#rowBase = rows.rowBase + BigInt(rows.start);
    if (this.#spec.mode === "mapBatches") await this.#mapBatch(rows);
    else await this.#mapRows(rows);
  }

  async endTask(): Promise<void> {
    await this.#flush();
    this.#pushedRows = 0;
    await this.#next.endTask();
  }

  dispose(): void {
    this.#builder?.abort();
    this.#builder = null;
    this.#next.dispose();
  }

  async #mapRows(rows: Rows): Promise<void> {
    const read = rowReader(this.#worker, rows.batch);
    for (let row = rows.start; row < rows.end; row++) {
      this.#mapRow(read, row);
      if (this.#open().rowCount >= this.#capacityRows) await this.#flush();
    }
  }

  #mapRow(read: (row: number) => Row, row: number): void {
    const input = read(row);
    let result: unknown;
    try {
      result = this.#fn(input);
      switch (this.#spec.mode) {
        case "filter":
          if (result === true) this.#open().append(input);
          else if (result !== false && result !== null) throw wrongShape("a boolean", result);
          return;
        case "flatMap":
          if (!isIterable(result)) throw wrongShape("an iterable of objects", result);
          for (const each of result) this.#append(each);
          return;
        default:
          this.#append(result);
      }
    } catch (error) {
      throw this.#failure(error, row);
    }
  }

  #append(result: unknown): void {
    if (typeof result !== "object" || result === null || Array.isArray(result)) throw wrongShape("an object", result);
    if (result instanceof Promise) throw wrongShape("an object", result);
    const builder = this.#open();
    if (builder.rowCount === 0) this.#checkNames(result);
    builder.append(result as Row);
  }

  /** A misspelt name would be a column of nulls. The first row of a batch stands for all, as looking costs time. */
  #checkNames(result: object): void {
    const { fields } = this.#spec.schema;
    const missing = fields.find((field) => !(field.name in result));
    const extra = missing && Object.keys(result).find((name) => !fields.some((field) => field.name === name));
    if (extra !== undefined) throw wrongShape(`a column "${missing?.name}"`, result);
  }

  async #mapBatch(rows: Rows): Promise<void> {
    const { arena } = this.#worker;
    let batch: Batch | null;
    try {
      const result: unknown = await this.#fn(new UserTable(arena, rows));
      batch = batchFromUser(arena, result, { rows, schema: this.#spec.schema, owner: this.#spec.operator });
    } catch (error) {
      throw this.#failure(error, rows.start);
    }
    if (batch === null) return;
    try {
      await this.#push(batch);
    } finally {
      releaseBatch(arena, batch);
    }
  }

  #open(): BatchBuilder {
    this.#builder ??= new BatchBuilder(this.#worker.arena, this.#spec.schema, this.#spec.operator, this.#capacityRows);
    return this.#builder;
  }

  async #flush(): Promise<void> {
    const builder = this.#builder;
    if (builder === null || builder.rowCount === 0) return;
    this.#builder = null;
    const batch = builder.finish();
    try {
      await this.#push(batch);
    } finally {
      releaseBatch(this.#worker.arena, batch);
    }
  }

  async #push(batch: Batch): Promise<void> {
    const rowBase = this.#rowBase + BigInt(this.#pushedRows);
    this.#pushedRows += batch.rowCount;
    await this.#next.push({ batch, start: 0, end: batch.rowCount, rowBase });
  }

  #failure(error: unknown, row: number): unknown {
    if (error instanceof ArrowError && error.code === "memoryLimit") return error;
    const { operator, schema } = this.#spec;
    const place = { operator, row, cause: error };
    const isShape = error instanceof ArrowError || (error instanceof ExecError && error.code === "wrongShape");
    if (!isShape) return new ExecError("userFunction", thrownText(error), place);
    const rule = error.message.replace(/\.$/, "");
    return new ExecError("wrongShape", `${rule}. Declared: ${columnsText(schema)}`, place);
  }
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}

function thrownText(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.name === "Error" ? thrown.message : `${thrown.name}: ${thrown.message}`;
  return typeof thrown === "string" ? thrown : `the function threw ${shownText(thrown)}`;
}

function wrongShape(wanted: string, got: unknown): ExecError {
  return new ExecError("wrongShape", `the function must return ${wanted}, but returned ${shownText(got)}`);
}

const SHOWN_MAX = 100;

function shownText(value: unknown): string {
  if (value instanceof Promise) return "a promise: functions cannot be async";
  const text = jsonText(value) ?? String(value);
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}…`;
}

/** Undefined for what has no JSON. */
function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_, v: unknown) => (typeof v === "bigint" ? `${v}n` : v));
  } catch {
    return undefined;
  }
}

function columnsText(schema: Schema): string {
  return schema.fields.map((f) => `${f.name} ${typeName(f.type)}${f.nullable ? "" : " not null"}`).join(", ");
}

type Read = (row: number) => Cell;

/**
 * Rows of `batch` as fresh objects with the columns as own properties. Written out for few columns: an object with
 * known keys is made in half the time that a loop over them takes.
 */
function rowReader(worker: WorkerContext, batch: Batch): (row: number) => Row {
  const names = batch.schema.fields.map((field) => field.name);
  const readers = batch.columns.map((column) => columnReader(worker.arena, column));
  const [a, b, c, d] = names as [string, string, string, string];
  const [readA, readB, readC, readD] = readers as [Read, Read, Read, Read];
  switch (names.length) {
    case 1:
      return (row) => ({ [a]: readA(row) });
    case 2:
      return (row) => ({ [a]: readA(row), [b]: readB(row) });
    case 3:
      return (row) => ({ [a]: readA(row), [b]: readB(row), [c]: readC(row) });
    case 4:
      return (row) => ({ [a]: readA(row), [b]: readB(row), [c]: readC(row), [d]: readD(row) });
    default:
      return (row) => {
        const result: Row = {};
        for (let i = 0; i < names.length; i++) setOwn(result, names[i] as string, (readers[i] as Read)(row));
        return result;
      };
  }
}

/** Assigning would change the prototype instead. */
function setOwn(row: Row, name: string, value: Cell): void {
  if (name !== "__proto__") row[name] = value;
  else Object.defineProperty(row, name, { value, enumerable: true, writable: true, configurable: true });
}
