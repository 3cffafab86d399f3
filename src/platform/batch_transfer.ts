/**
 * Lists of batches on their way to a worker thread: structured cloning of thousands of small objects takes longer than
 * many a pipeline, one array of numbers does not.
 */
import type { Batch, Column, DataType, Schema } from "../arrow/mod.ts";
import { invariant } from "../kernel/mod.ts";

export interface PackedBatches {
  /** What the numbers refer to by index. */
  readonly schemas: readonly Schema[];
  readonly types: readonly DataType[];
  /**
   * For each batch: schema, row count, number of blocks, blocks, then its columns one after the other. A column: type,
   * length, null count, validity, offsets, data, number of children, 1 when there is a dictionary, children, dictionary.
   */
  readonly numbers: Float64Array;
}

/** Numbers by first appearance of the object. */
class Table<T> {
  readonly items: T[] = [];
  readonly #indices = new Map<T, number>();

  indexOf(item: T): number {
    const known = this.#indices.get(item);
    if (known !== undefined) return known;
    this.#indices.set(item, this.items.length);
    return this.items.push(item) - 1;
  }
}

export function packBatches(batches: readonly Batch[]): PackedBatches {
  const schemas = new Table<Schema>();
  const types = new Table<DataType>();
  const numbers: number[] = [];
  const pack = (column: Column): void => {
    const { length, nullCount, validity, offsets, data, children, dictionary } = column;
    numbers.push(types.indexOf(column.type), length, nullCount, validity, offsets, data, children.length);
    numbers.push(dictionary === null ? 0 : 1);
    children.forEach(pack);
    if (dictionary !== null) pack(dictionary);
  };
  for (const batch of batches) {
    numbers.push(schemas.indexOf(batch.schema), batch.rowCount, batch.blocks.length, ...batch.blocks);
    batch.columns.forEach(pack);
  }
  return { schemas: schemas.items, types: types.items, numbers: Float64Array.from(numbers) };
}

export function unpackBatches(packed: PackedBatches): Batch[] {
  const { numbers, schemas, types } = packed;
  let at = 0;
  const next = (): number => {
    const number = numbers[at++];
    invariant(number !== undefined, "packed batches end early");
    return number;
  };
  const column = (): Column => {
    const type = types[next()];
    invariant(type !== undefined, "a packed column has a type");
    const [length, nullCount, validity, offsets, data] = [next(), next(), next(), next(), next()];
    const childCount = next();
    const hasDictionary = next() === 1;
    const children = Array.from({ length: childCount }, column);
    const dictionary = hasDictionary ? column() : null;
    return { type, length, nullCount, validity, offsets, data, children, dictionary };
  };
  const batches: Batch[] = [];
  while (at < numbers.length) {
    const schema = schemas[next()];
    invariant(schema !== undefined, "a packed batch has a schema");
    const rowCount = next();
    const blocks = Array.from({ length: next() }, next);
    batches.push({ schema, rowCount, columns: schema.fields.map(column), blocks });
  }
  return batches;
}
