/** DuckDB as the oracle: evaluates SQL over rows given as literals. */
import { DuckDBInstance } from "@duckdb/node-api";

export class Oracle {
  readonly #query: (sql: string) => Promise<unknown[][]>;

  private constructor(query: (sql: string) => Promise<unknown[][]>) {
    this.#query = query;
  }

  static async open(): Promise<Oracle> {
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    return new Oracle(async (sql) => (await connection.runAndReadAll(sql)).getRows() as unknown[][]);
  }

  async run(sql: string): Promise<void> {
    await this.#query(sql);
  }

  /** `expression` for each of the `rows`, whose columns are SQL text named in `columns`. */
  async evaluate(
    expression: string,
    options: { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] },
  ): Promise<unknown[]> {
    const values = options.rows.map((row, i) => `(${i}, ${row.join(", ")})`).join(", ");
    const sql = `select ${expression} from (values ${values}) t(row_number, ${options.columns.join(", ")}) order by row_number`;
    return (await this.#query(sql)).map(([value]) => value);
  }
}
