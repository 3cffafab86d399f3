import { type Cell, type DataType, formatDecimal } from "../../../src/arrow/mod.ts";

export interface RandomSource {
  below(limit: number): number;
  chance(probability: number): boolean;
  /** A value of few or extreme ones, so that equal values meet. */
  value(type: DataType): Cell;
}

/** Numbers from a seed (mulberry32). */
export function randomSource(seed: number): RandomSource {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  const pick = <T>(values: readonly T[]) => values[below(values.length)] as T;
  const integer = (bits: number, signed: boolean): bigint => {
    const span = 1n << BigInt(bits);
    const least = signed ? -span / 2n : 0n;
    // Extremes come seldom and cancel out, so that sums of 64 bits do not overflow.
    return next() < 0.2 && bits < 64 ? pick([least, least + span - 1n]) : BigInt(below(40)) + (signed ? -20n : 0n);
  };
  const texts = [
    "",
    "a",
    "b",
    "abcdefgh",
    "abcdefghi",
    "längerer Text mit Umlauten",
    "日本語のテキスト",
    "x".repeat(100),
  ];
  const value = (type: DataType): Cell => {
    switch (type.kind) {
      case "bool":
        return next() < 0.5;
      case "int8":
      case "int16":
      case "int32":
      case "uint8":
      case "uint16":
      case "uint32":
        return Number(integer(Number(type.kind.replace(/\D/g, "")), !type.kind.startsWith("u")));
      case "date32":
      case "time":
        return type.kind === "time" && type.unit === "nanosecond" ? BigInt(below(86_400)) : below(86_400);
      case "int64":
      case "timestamp":
      case "duration":
        return integer(64, true);
      case "uint64":
        return integer(64, false);
      case "float32":
        return Math.fround(below(100) / 8 - 3);
      case "float64":
        return below(1_000) / 7 - 50;
      case "decimal":
        return formatDecimal(
          BigInt(below(200) - 100) * 10n ** BigInt(below(type.precision > 30 ? 30 : 10)),
          type.scale,
        );
      case "utf8":
        return pick(texts);
      case "binary":
        return new TextEncoder().encode(pick(texts));
      case "fixedSizeBinary":
        return new Uint8Array(type.byteWidth).map(() => below(3));
      case "dictionary":
        return value(type.value);
      default:
        throw new Error(`no random ${type.kind}`);
    }
  };
  return { below, chance: (probability) => next() < probability, value };
}
