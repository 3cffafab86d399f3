import type { CellInput, DataType, Field } from "../../src/arrow/mod.ts";
import { randomCell, sqlLiteral } from "./cells.ts";
import type { Random } from "./random.ts";
import { randomColumnType, seenType, sqlType } from "./types.ts";

export interface TestTable {
  readonly name: string;
  readonly fields: readonly Field[];
  readonly rows: readonly (readonly CellInput[])[];
}

export function randomTable(random: Random, name: string): TestTable {
  const count = 3 + random.below(6);
  const fields = Array.from({ length: count }, (_, i): Field => {
    return { name: `${name}_c${i}`, type: randomColumnType(random), nullable: true };
  });
  // Every table can be joined.
  fields.push({ name: `${name}_k`, type: { kind: "int32" }, nullable: true });
  const rowCount = random.chance(0.04) ? 0 : random.pick([1, 3, 10, 40, 40, 120, 120]);
  const heavy = random.chance(0.2);
  const rows = Array.from({ length: rowCount }, () => {
    const cells = fields.slice(0, -1).map((field) => randomCell(random, field.type));
    const key = random.chance(0.1) ? null : heavy && random.chance(0.9) ? 7 : random.below(12);
    return [...cells, key];
  });
  return { name, fields, rows };
}

/** Statements that make the table in DuckDB. */
export function sqlTable(table: TestTable): string[] {
  const columns = table.fields.map((field) => `${field.name} ${sqlType(field.type)}`).join(", ");
  const create = `CREATE OR REPLACE TABLE ${table.name} (${columns})`;
  if (table.rows.length === 0) return [create];
  const values = table.rows.map((row) => {
    return `(${row.map((cell, i) => sqlLiteral((table.fields[i] as Field).type, cell)).join(", ")})`;
  });
  return [create, `INSERT INTO ${table.name} VALUES ${values.join(", ")}`];
}

/** Cells of the tables by type, for literals that are found in the data. */
export class Values {
  readonly #byType = new Map<string, CellInput[]>();

  constructor(tables: readonly TestTable[]) {
    for (const { fields, rows } of tables) {
      for (const [i, field] of fields.entries()) {
        const key = JSON.stringify(seenType(field.type));
        const known = this.#byType.get(key) ?? [];
        this.#byType.set(key, known);
        known.push(...rows.map((row) => row[i]));
      }
    }
  }

  of(type: DataType): readonly CellInput[] {
    return this.#byType.get(JSON.stringify(type)) ?? [];
  }
}
