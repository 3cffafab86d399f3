/**
 * Sort keys as words. The keys of a row become a sequence of unsigned 64-bit words whose lexicographic order is the
 * order of the rows: null flags and values, brought into an order-preserving form, are packed one after the other;
 * a value that does not fit goes on in the next word. A string has words of its own, seven bytes each, as many as it
 * needs: word `offset / 7` holds bytes `offset` … `offset + 7` and how many there are.
 *
 *   fixed   | null flag | value | null flag | value …                           | zeros
 *   bytes   | null flag (1) | seven bytes (56) | bytes here, 8 for more (4)      | zeros (3)
 */
import { type DataType, valueType } from "../../arrow/mod.ts";
import { unreachable } from "../../kernel/mod.ts";

export interface KeyShape {
  readonly type: DataType;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
  /** Some row may be null. */
  readonly nullable: boolean;
  /** Starts a word of its own. */
  readonly aligned?: boolean;
}

/** Bits of one key within a fixed word. */
export interface WordPart {
  readonly key: number;
  /** The null flag, or a piece of the value: pieces are numbered from the most significant. */
  readonly piece: "null" | number;
  /** Lowest bit of the piece that is taken, how many, and where they go. */
  readonly from: number;
  readonly bits: number;
  readonly to: number;
}

export type Word =
  | { readonly kind: "fixed"; readonly parts: readonly WordPart[] }
  | { readonly kind: "bytes"; readonly key: number };

export const WORD_BITS = 64;
/** Bytes of a string in one word. */
export const CHUNK_BYTES = 7;
/** In a bytes word: the count that says that the string goes on. */
export const CHUNK_MORE = CHUNK_BYTES + 1;
export const CHUNK_SHIFT = 7;
export const CHUNK_COUNT_SHIFT = 3;

/** Bits of the pieces of a value in order-preserving form; null for byte strings. */
export function pieceBits(type: DataType): readonly number[] | null {
  switch (type.kind) {
    case "null":
      return [];
    case "bool":
      return [1];
    case "int8":
    case "uint8":
      return [8];
    case "int16":
    case "uint16":
      return [16];
    case "int32":
    case "uint32":
    case "float32":
    case "date32":
      return [32];
    case "int64":
    case "uint64":
    case "float64":
    case "timestamp":
    case "duration":
      return [64];
    case "time":
      return [type.unit === "second" || type.unit === "millisecond" ? 32 : 64];
    case "decimal":
      return [64, 64];
    case "utf8":
    case "largeUtf8":
    case "binary":
    case "largeBinary":
    case "fixedSizeBinary":
      return null;
    case "dictionary":
      return pieceBits(valueType(type));
    case "list":
    case "struct":
      throw new TypeError(`${type.kind} has no order`);
    default:
      return unreachable(type);
  }
}

/** The words of a row, in order, at least one. */
export function planWords(keys: readonly KeyShape[]): Word[] {
  const plan = new WordPlan();
  keys.forEach((shape, key) => {
    if (shape.type.kind === "null") return;
    const pieces = pieceBits(shape.type);
    if (pieces === null) return plan.addBytes(key);
    if (shape.aligned) plan.endWord();
    if (shape.nullable) plan.add({ key, piece: "null" }, 1);
    pieces.forEach((bits, piece) => plan.add({ key, piece }, bits));
  });
  plan.endWord();
  return plan.words.length > 0 ? plan.words : [{ kind: "fixed", parts: [] }];
}

/** Whether `word`, a row's first one, is of a string that goes on after it. */
export function firstStringGoesOn(keys: readonly KeyShape[], word: bigint): boolean {
  const [first] = planWords(keys);
  if (first?.kind !== "bytes") return false;
  const plain = keys[first.key]?.descending ? ~word : word;
  return ((plain >> BigInt(CHUNK_COUNT_SHIFT)) & 15n) === BigInt(CHUNK_MORE);
}

class WordPlan {
  readonly words: Word[] = [];
  #parts: WordPart[] = [];
  #free = WORD_BITS;

  add(what: Pick<WordPart, "key" | "piece">, bits: number): void {
    for (let left = bits; left > 0; ) {
      const taken = Math.min(left, this.#free);
      left -= taken;
      this.#free -= taken;
      this.#parts.push({ ...what, from: left, bits: taken, to: this.#free });
      if (this.#free === 0) this.endWord();
    }
  }

  addBytes(key: number): void {
    this.endWord();
    this.words.push({ kind: "bytes", key });
  }

  endWord(): void {
    if (this.#parts.length > 0) this.words.push({ kind: "fixed", parts: this.#parts });
    this.#parts = [];
    this.#free = WORD_BITS;
  }
}
