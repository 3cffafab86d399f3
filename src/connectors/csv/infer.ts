import type { DataType } from "../../arrow/mod.ts";
import { floatResult, isDigit, parseBigInteger, parseFloat64 } from "../parse_number.ts";
import { clock, parseDate, parseTimestamp } from "../parse_time.ts";

/**
 * Guesses a column's type from samples: the narrowest of bool, int64, float64, date32, timestamp that every sample fits,
 * else utf8. What would lose something as a number (a leading zero, a leading plus) is text.
 */
export class TypeGuess {
  private kind: "none" | "bool" | "int64" | "float64" | "date32" | "timestamp" | "utf8" = "none";
  private zoned: boolean | null = null;
  private nanoseconds = false;

  add(bytes: Uint8Array, start: number, end: number): void {
    if (this.kind === "utf8") return;
    const seen = this.classify(bytes, start, end);
    if (this.kind === "none" || this.kind === seen) this.kind = seen;
    else if (isPair(this.kind, seen, "int64", "float64")) this.kind = "float64";
    else if (isPair(this.kind, seen, "date32", "timestamp")) this.kind = this.zoned === true ? "utf8" : "timestamp";
    else this.kind = "utf8";
  }

  type(): DataType {
    switch (this.kind) {
      case "none":
      case "utf8":
        return { kind: "utf8" };
      case "timestamp": {
        const unit = this.nanoseconds ? "nanosecond" : "microsecond";
        return { kind: "timestamp", unit, timezone: this.zoned === true ? "UTC" : null };
      }
      default:
        return { kind: this.kind };
    }
  }

  private classify(bytes: Uint8Array, start: number, end: number): Exclude<TypeGuess["kind"], "none"> {
    const first = bytes[start] as number;
    if (isBoolWord(bytes, start, end)) return "bool";
    const sign = first === 45 ? 1 : 0;
    const lead = bytes[start + sign] as number;
    if (lead === 48 && end - start > sign + 1 && isDigit(bytes[start + sign + 1] as number)) return "utf8";
    if (first === 43 || end === start) return "utf8";
    const integer = parseBigInteger(bytes, start, end);
    if (integer !== null) return BigInt.asIntN(64, integer) === integer ? "int64" : "float64";
    parseFloat64(bytes, start, end);
    if (!floatResult.failed) return "float64";
    if (!Number.isNaN(parseDate(bytes, start, end))) return "date32";
    return this.isTimestamp(bytes, start, end) ? "timestamp" : "utf8";
  }

  private isTimestamp(bytes: Uint8Array, start: number, end: number): boolean {
    if (!parseTimestamp(bytes, start, end)) return false;
    if (clock.fractionDigits > 6) this.nanoseconds = true;
    // A date that came before has no zone.
    if (this.zoned === null) this.zoned = clock.zoned;
    return this.zoned === clock.zoned && !(clock.zoned && this.kind === "date32");
  }
}

function isPair(a: string, b: string, x: string, y: string): boolean {
  return (a === x && b === y) || (a === y && b === x);
}

function isBoolWord(bytes: Uint8Array, start: number, end: number): boolean {
  const word = end - start === 4 ? "true" : end - start === 5 ? "false" : "";
  if (word === "") return false;
  for (let i = 0; i < word.length; i++) if (((bytes[start + i] as number) | 32) !== word.charCodeAt(i)) return false;
  return true;
}
