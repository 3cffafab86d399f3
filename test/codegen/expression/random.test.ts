import { beforeAll, describe, expect, test } from "vitest";
import { bool, float64, int64, utf8 } from "../../../src/arrow/mod.ts";
import type { LiteralValue, ScalarFunction, TypedExpression } from "../../../src/plan/mod.ts";
import { Oracle } from "../duckdb.ts";
import { call, caseOf, cast, column, isIn, literal } from "../expressions.ts";
import { evaluate, type TestColumn } from "../harness.ts";
import { SeededRandom } from "../random.ts";

/** An expression and the SQL that means the same. */
interface Both {
  readonly e: TypedExpression;
  readonly sql: string;
}

type Kind = "int" | "float" | "text" | "bool";
const TYPES = { int: int64, float: float64, text: utf8, bool } as const;

class Generator {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  of(kind: Kind, depth: number): Both {
    if (depth === 0 || this.#random.below(8) === 0) return this.#leaf(kind);
    const shared = this.#random.below(5);
    if (shared === 0) return this.#case(kind, depth);
    if (shared === 1) return this.#coalesce(kind, depth);
    switch (kind) {
      case "int":
        return this.#int(depth);
      case "float":
        return this.#float(depth);
      case "text":
        return this.#text(depth);
      case "bool":
        return this.#bool(depth);
    }
  }

  #leaf(kind: Kind): Both {
    const name = this.#random.pick({ int: ["i", "j"], float: ["f"], text: ["t", "d"], bool: ["b"] }[kind]);
    if (this.#random.below(3) > 0) return { e: column(name, TYPES[kind]), sql: name };
    switch (kind) {
      case "int": {
        const value = this.#random.integer(20n);
        return { e: literal(value, int64), sql: `${value}::bigint` };
      }
      case "float": {
        const value = this.#random.below(40) / 4 - 5;
        return { e: literal(value, float64), sql: `(${value})::double` };
      }
      case "text": {
        const value = this.#random.pick(["", "a", "bé", "long enough to be compared elsewhere"]);
        return { e: literal(value, utf8), sql: `'${value}'` };
      }
      case "bool":
        return { e: literal(null, bool), sql: "null::boolean" };
    }
  }

  #int(depth: number): Both {
    const choice = this.#random.below(6);
    if (choice === 0) return this.#unary("length", "int", this.of("text", depth - 1), (x) => `length(${x})`);
    if (choice === 1) return this.#unary("abs", "int", this.of("int", depth - 1), (x) => `abs(${x})`);
    if (choice === 2) {
      const [a, b] = [this.of("int", depth - 1), this.of("int", depth - 1)];
      const safe = call("nullIf", [b.e, literal(0n, int64)], { type: int64 });
      return this.#random.below(2)
        ? { e: call("divide", [a.e, safe], { type: int64 }), sql: `(${a.sql} // nullif(${b.sql}, 0))` }
        : { e: call("modulo", [a.e, safe], { type: int64 }), sql: `(${a.sql} % nullif(${b.sql}, 0))` };
    }
    const [fn, operator] = this.#random.pick([
      ["add", "+"],
      ["subtract", "-"],
      ["multiply", "*"],
    ] as const);
    return this.#binary(fn, "int", [this.of("int", depth - 1), this.of("int", Math.min(1, depth - 1))], operator);
  }

  #float(depth: number): Both {
    const choice = this.#random.below(4);
    const inner = this.of("float", depth - 1);
    if (choice === 0) return this.#fromInt();
    if (choice === 1) return this.#unary("floor", "float", inner, (x) => `floor(${x})`);
    const [fn, operator] = this.#random.pick([
      ["add", "+"],
      ["subtract", "-"],
      ["multiply", "*"],
    ] as const);
    return this.#binary(fn, "float", [inner, this.of("float", depth - 1)], operator);
  }

  #fromInt(): Both {
    const inner = this.of("int", 1);
    return { e: cast(inner.e, float64), sql: `(${inner.sql})::double` };
  }

  #text(depth: number): Both {
    const inner = this.of("text", depth - 1);
    const choice = this.#random.below(4);
    if (choice === 0) return this.#unary("upper", "text", inner, (x) => `upper(${x})`);
    if (choice === 1) return this.#number();
    if (choice === 2) return this.#unary("lower", "text", inner, (x) => `lower(${x})`);
    return this.#binary("concat", "text", [inner, this.of("text", depth - 1)], "||");
  }

  #number(): Both {
    const inner = this.of("int", 1);
    return { e: cast(inner.e, utf8), sql: `(${inner.sql})::varchar` };
  }

  #bool(depth: number): Both {
    const choice = this.#random.below(7);
    if (choice === 0) return this.#unary("not", "bool", this.of("bool", depth - 1), (x) => `(not ${x})`);
    if (choice <= 2) {
      const [fn, operator] = this.#random.pick([
        ["and", "and"],
        ["or", "or"],
      ] as const);
      return this.#binary(fn, "bool", [this.of("bool", depth - 1), this.of("bool", depth - 1)], operator);
    }
    const kind = this.#random.pick(["int", "float", "text"] as const);
    if (choice === 3) return this.#unary("isNull", "bool", this.of(kind, depth - 1), (x) => `(${x} is null)`);
    if (choice === 4) {
      const operand = this.of("text", depth - 1);
      const values: LiteralValue[] = ["a", "bé", this.#random.below(2) ? null : "x"];
      return {
        e: isIn(operand.e, values),
        sql: `(${operand.sql} in (${values.map((value) => (value === null ? "null" : `'${value}'`)).join(", ")}))`,
      };
    }
    if (choice === 5) return this.#binary("contains", "bool", [this.of("text", depth - 1), this.of("text", 0)], null);
    const [fn, operator] = this.#random.pick([
      ["eq", "="],
      ["ne", "<>"],
      ["lt", "<"],
      ["le", "<="],
      ["gt", ">"],
      ["ge", ">="],
    ] as const);
    return this.#binary(fn, "bool", [this.of(kind, depth - 1), this.of(kind, depth - 1)], operator);
  }

  #case(kind: Kind, depth: number): Both {
    const [when, then, otherwise] = [this.of("bool", depth - 1), this.of(kind, depth - 1), this.of(kind, depth - 1)];
    return {
      e: caseOf([[when.e, then.e]], otherwise.e),
      sql: `(case when ${when.sql} then ${then.sql} else ${otherwise.sql} end)`,
    };
  }

  #coalesce(kind: Kind, depth: number): Both {
    const [a, b] = [this.of(kind, depth - 1), this.of(kind, depth - 1)];
    return { e: call("coalesce", [a.e, b.e], { type: TYPES[kind] }), sql: `coalesce(${a.sql}, ${b.sql})` };
  }

  #unary(fn: ScalarFunction, kind: Kind, inner: Both, sql: (x: string) => string): Both {
    return { e: call(fn, [inner.e], { type: TYPES[kind] }), sql: sql(inner.sql) };
  }

  #binary(fn: ScalarFunction, kind: Kind, [a, b]: readonly [Both, Both], operator: string | null): Both {
    const sql = operator === null ? `${fn}(${a.sql}, ${b.sql})` : `(${a.sql} ${operator} ${b.sql})`;
    return { e: call(fn, [a.e, b.e], { type: TYPES[kind] }), sql };
  }
}

const ROWS = 60;
const EXPRESSIONS = 250;
const seed = 20_250_131;

function tableOf(random: SeededRandom): TestColumn[] {
  const values = (make: () => LiteralValue) =>
    Array.from({ length: ROWS }, () => (random.below(5) === 0 ? null : make()));
  const words = ["", "a", "A", "bé", "abc", "日本", "a longer text that needs more than a register"];
  return [
    { name: "i", type: int64, values: values(() => random.integer(100n)) },
    { name: "j", type: int64, values: values(() => random.integer(3n)) },
    { name: "f", type: float64, values: values(() => random.pick([0, -0, 1.5, -2.25, 1e10, 0.125])) },
    { name: "t", type: utf8, values: values(() => random.pick(words)) },
    { name: "d", type: utf8, values: values(() => random.pick(words)), dictionary: true },
    { name: "b", type: bool, values: values(() => random.below(2) === 0) },
  ];
}

function sqlLiteral(value: LiteralValue, kind: string): string {
  if (value === null) return `null::${kind}`;
  if (typeof value === "string") return `'${value}'`;
  return `(${Object.is(value, -0) ? "-0.0" : value})::${kind}`;
}

let duckdb: Oracle;
beforeAll(async () => {
  duckdb = await Oracle.open();
});

describe("random expressions", () => {
  test("mean what they mean in DuckDB", async () => {
    const columns = tableOf(new SeededRandom(seed));
    const kinds = { i: "bigint", j: "bigint", f: "double", t: "varchar", d: "varchar", b: "boolean" } as const;
    const rows = Array.from({ length: ROWS }, (_, row) =>
      columns.map(({ name, values }) => sqlLiteral(values[row] as LiteralValue, kinds[name as keyof typeof kinds])),
    );
    const generator = new Generator(seed);
    for (let i = 0; i < EXPRESSIONS; i++) {
      const kind = (["int", "float", "text", "bool"] as const)[i % 4] as Kind;
      const { e, sql } = generator.of(kind, 4);
      const expected = await duckdb.evaluate(sql, { columns: columns.map(({ name }) => name), rows });
      const normal = (list: readonly unknown[]) => list.map((value) => (Object.is(value, -0) ? 0 : value));
      expect({ seed, i, sql, result: normal(evaluate(e, { columns })) }).toEqual({
        seed,
        i,
        sql,
        result: normal(expected),
      });
    }
  });
});
