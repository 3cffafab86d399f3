import { type Schema, typeName } from "../../arrow/mod.ts";
import { PlanError } from "../error.ts";
import type { Expression, JoinSide } from "../expression.ts";
import { typedColumn } from "../make.ts";
import { nameText, printExpression } from "../print.ts";
import { columnsHint } from "../suggest.ts";
import type { TypedColumn, TypedExpression } from "../typed.ts";

interface ScopeEntry {
  /** As the user may write it. */
  readonly name: string;
  readonly side: JoinSide | null;
  readonly column: TypedColumn;
}

/** The columns that the expressions of one operator may name, and the operator's text for messages. */
export class BindScope {
  readonly operator: string;
  readonly #byName = new Map<string, ScopeEntry[]>();

  constructor(operator: string, entries: readonly ScopeEntry[]) {
    this.operator = operator;
    for (const entry of entries) {
      const known = this.#byName.get(entry.name);
      if (known === undefined) this.#byName.set(entry.name, [entry]);
      else known.push(entry);
    }
  }

  static of(operator: string, schema: Schema): BindScope {
    return new BindScope(
      operator,
      schema.fields.map((f) => ({ name: f.name, side: null, column: typedColumn(f) })),
    );
  }

  names(side: JoinSide | null = null): string[] {
    return [...this.#byName].flatMap(([name, entries]) =>
      side === null || entries.some((e) => e.side === side) ? [name] : [],
    );
  }

  /** Throws `PlanError` for a name that no column has, or two have. */
  column(name: string, side: JoinSide | null): TypedColumn {
    const found = (this.#byName.get(name) ?? []).filter((e) => side === null || e.side === side);
    const [first, second] = found;
    if (first === undefined) {
      const where = side === null ? "" : ` of the ${side} side`;
      const hint = columnsHint(name, this.names(side));
      throw new PlanError("unknownColumn", `Unknown column ${nameText(name)}${where} in ${this.operator}.${hint}`);
    }
    if (second !== undefined) {
      throw new PlanError(
        "ambiguousColumn",
        `Ambiguous column ${nameText(name)} in ${this.operator}: both sides have it. Write the condition as (left, right) => … and name the side.`,
      );
    }
    return first.column;
  }

  /** An error about one expression; `rule` says what it must be and what it is. */
  fail(code: PlanError["code"], expression: Expression, rule: string): PlanError {
    return new PlanError(code, `Cannot use ${printExpression(expression)} in ${this.operator}: ${rule}`);
  }
}

/** `delay is utf8` for messages. */
export function describeTyped(expression: Expression, typed: TypedExpression): string {
  return `${printExpression(expression)} is ${typeName(typed.type)}`;
}
