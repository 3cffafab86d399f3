import type { CellInput, DataType } from "../../arrow/mod.ts";
import type { GeneratedColumn, GeneratedColumnOptions } from "../../stream/mod.ts";

/** Values that depend on seed, column and row alone: any split gives the same. */

/** 32 well mixed bits (murmur3's finalizer over the three inputs). */
function mix(seed: number, salt: number, row: number): number {
  let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(salt + 0x7f4a7c15, 0xc2b2ae35);
  h ^= Math.imul(row | 0, 0x27d4eb2f) ^ Math.imul(Math.floor(row / 4294967296) + 1, 0x165667b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Uniform in [0, 1), 53 bits. */
function unit(seed: number, salt: number, row: number): number {
  const high = mix(seed, salt, row) >>> 5;
  const low = mix(seed, salt ^ 0x5bd1e995, row) >>> 6;
  return (high * 67108864 + low) / 9007199254740992;
}

const SALT_STEP = 16;
const SALT_NULL = 1;
const SALT_LENGTH = 2;
const SALT_TEXT = 3;

/** The value of `column` (at `position` in the source) in any row. */
export function valueAt(column: GeneratedColumnOptions, position: number, seed: number): (row: number) => CellInput {
  const salt = position * SALT_STEP;
  const value = kindAt(column.values, column.type, { salt, seed });
  if (column.nullFraction <= 0) return value;
  return (row) => (unit(seed, salt + SALT_NULL, row) < column.nullFraction ? null : value(row));
}

interface Salted {
  readonly salt: number;
  readonly seed: number;
}

function kindAt(values: GeneratedColumn, type: DataType, salted: Salted): (row: number) => CellInput {
  const { salt, seed } = salted;
  const typed = forType(type);
  switch (values.kind) {
    case "sequence":
      return (row) => typed(values.start + row * values.step);
    case "random": {
      const { min, max } = values;
      if (type.kind === "float32" || type.kind === "float64") return (row) => min + unit(seed, salt, row) * (max - min);
      const span = Math.floor(max) - Math.ceil(min) + 1;
      return (row) => typed(Math.ceil(min) + Math.min(Math.floor(unit(seed, salt, row) * span), span - 1));
    }
    case "choice": {
      const { values: choices } = values;
      return (row) => choices[Math.floor(unit(seed, salt, row) * choices.length)] ?? null;
    }
    case "text":
      return textAt(values, salted);
    case "constant":
      return () => values.value;
  }
}

function textAt(values: Extract<GeneratedColumn, { kind: "text" }>, { salt, seed }: Salted): (row: number) => string {
  const { minLength, maxLength } = values;
  return (row) => {
    const length = minLength + Math.floor(unit(seed, salt + SALT_LENGTH, row) * (maxLength - minLength + 1));
    let text = "";
    let bits = 0;
    for (let i = 0; i < length; i++) {
      if (i % 5 === 0) bits = mix(seed, salt + SALT_TEXT + i * 31, row);
      text += String.fromCharCode(97 + (bits % 26));
      bits = Math.floor(bits / 26);
    }
    return text;
  };
}

/** What a builder wants for an integer value of the type. */
function forType(type: DataType): (value: number) => CellInput {
  switch (type.kind) {
    case "int64":
    case "uint64":
    case "timestamp":
    case "duration":
      return (value) => BigInt(Math.trunc(value));
    case "time":
      return type.unit === "second" || type.unit === "millisecond"
        ? (value) => value
        : (value) => BigInt(Math.trunc(value));
    case "decimal":
    case "utf8":
    case "largeUtf8":
      return (value) => String(value);
    case "bool":
      return (value) => value % 2 !== 0;
    default:
      return (value) => value;
  }
}
