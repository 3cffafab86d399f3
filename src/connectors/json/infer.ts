import type { DataType, Field } from "../../arrow/mod.ts";
import type { JsonCursor } from "./parse.ts";

/**
 * Guesses types from sample values: objects are structs, arrays lists, numbers int64 while all are whole and fit, else
 * float64. Where kinds are mixed the column is utf8 and holds the values' JSON text.
 */
export class JsonGuess {
  private kind: "none" | "bool" | "int64" | "float64" | "utf8" | "list" | "struct" = "none";
  private readonly fields = new Map<string, JsonGuess>();
  private item: JsonGuess | null = null;

  /** Reads the value at the cursor. */
  add(cursor: JsonCursor): void {
    const byte = cursor.peek();
    if (byte === 123) {
      this.see("struct");
      cursor.members((key) => this.field(key).add(cursor));
    } else if (byte === 91) {
      this.see("list");
      this.item ??= new JsonGuess();
      const { item } = this;
      cursor.items(() => item.add(cursor));
    } else if (byte === 34) {
      this.see("utf8");
      cursor.skip();
    } else if (byte === 116 || byte === 102) {
      this.see("bool");
      cursor.skip();
    } else if (byte === 110) cursor.skip();
    else this.see(numberKind(cursor.raw()));
  }

  field(key: string): JsonGuess {
    let guess = this.fields.get(key);
    if (guess === undefined) {
      guess = new JsonGuess();
      this.fields.set(key, guess);
    }
    return guess;
  }

  private see(kind: Exclude<JsonGuess["kind"], "none">): void {
    const numbers = (this.kind === "int64" || this.kind === "float64") && (kind === "int64" || kind === "float64");
    if (this.kind === "none" || this.kind === kind) this.kind = kind;
    else this.kind = numbers ? "float64" : "utf8";
  }

  type(): DataType {
    switch (this.kind) {
      case "none":
        return { kind: "utf8" };
      case "list":
        return { kind: "list", item: { name: "item", type: this.item?.type() ?? { kind: "utf8" }, nullable: true } };
      case "struct":
        return this.fields.size === 0 ? { kind: "utf8" } : { kind: "struct", fields: this.columns() };
      default:
        return { kind: this.kind };
    }
  }

  columns(): Field[] {
    return [...this.fields].map(([name, guess]) => ({ name, type: guess.type(), nullable: true }));
  }
}

function numberKind(text: string): "int64" | "float64" {
  if (!/^-?\d+$/.test(text)) return "float64";
  const value = BigInt(text);
  return BigInt.asIntN(64, value) === value ? "int64" : "float64";
}
