import type { Cell, DataType } from "../arrow/mod.ts";

/**
 * The row types that TypeScript sees. A row maps column names to what JavaScript gets for a cell: bigint for 64-bit
 * integers, timestamps and durations, number for other integers, floats and dates (days since 1970-01-01), the exact
 * text for decimals, and null where the column may be null.
 */

/**
 * Row of a stream whose schema is only known when it runs: any column may be named. `any` is meant here: an index
 * signature would make every column of it possibly undefined.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export type Open = any;

export type IsOpen<T> = 0 extends 1 & T ? true : false;

/** `int64`, `utf8 not null`, `timestamp[us, Europe/Berlin]`, `decimal(12, 2)`, `list<int64>`: see the type names in the docs. */
export type TypeText = KnownTypeText | `${KnownTypeText} not null` | (string & {});

type KnownTypeText =
  | "bool"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "float32"
  | "float64"
  | "utf8"
  | "binary"
  | "date32"
  | "timestamp[ms]"
  | "timestamp[us]"
  | "timestamp[us, UTC]"
  | "decimal(18, 2)";

/** Columns in order: `{ id: "int64 not null", name: "utf8" }`, or types made with the type functions. */
export type SchemaInput = Readonly<Record<string, TypeText | DataType>>;

type NumberKind = "int8" | "int16" | "int32" | "uint8" | "uint16" | "uint32" | "float32" | "float64" | "date32";
type BigintKind = "int64" | "uint64" | "timestamp" | "duration";

type TextValue<T extends string> = T extends NumberKind | "float" | "double" | "date" | "time[s]" | "time[ms]"
  ? number
  : T extends BigintKind | `timestamp[${string}` | `duration[${string}` | `time[${string}`
    ? bigint
    : T extends "utf8" | "largeUtf8" | "string" | `decimal(${string}`
      ? string
      : T extends "bool" | "boolean"
        ? boolean
        : T extends "binary" | "largeBinary" | `fixedSizeBinary[${string}`
          ? Uint8Array
          : T extends "null"
            ? null
            : T extends `list<${infer Item}>`
              ? CellOfText<Item>[]
              : T extends `struct<${string}`
                ? Record<string, Cell>
                : Open;

type CellOfText<T extends string> = T extends `${infer Type} not null` ? TextValue<Type> : TextValue<T> | null;

/** What a cell of a column of this declared type is in JavaScript. */
export type CellOf<T> = T extends string
  ? CellOfText<T>
  : T extends { readonly kind: NumberKind }
    ? number | null
    : T extends { readonly kind: BigintKind }
      ? bigint | null
      : T extends { readonly kind: "utf8" | "largeUtf8" | "decimal" }
        ? string | null
        : T extends { readonly kind: "bool" }
          ? boolean | null
          : Open;

/** The row that a declared schema gives. */
export type RowOf<S> = Flat<{ -readonly [K in keyof S]: CellOf<S[K]> }>;

/** What a user's function may return for a cell: safe integers and Dates are taken where bigints are meant. */
type InputFor<T> = T extends bigint ? bigint | number | Date : T extends number ? number | Date | boolean : T;

/** A row as a user's function or `fromRows` may give it; columns that may be null may be left out. */
export type RowInput<R> =
  IsOpen<R> extends true
    ? Readonly<Record<string, unknown>>
    : { readonly [K in keyof R as null extends R[K] ? never : K]: InputFor<R[K]> } & {
        readonly [K in keyof R as null extends R[K] ? K : never]?: InputFor<R[K]> | undefined;
      };

/** The row that rows of plain JavaScript values give: Dates become timestamps, missing values null. */
export type InferredRow<I> = IsOpen<I> extends true ? Open : { -readonly [K in keyof I]-?: InferredCell<I[K]> };

type InferredCell<T> = T extends undefined ? null : T extends Date ? bigint : T;

export type Flat<T> = IsOpen<T> extends true ? Open : { [K in keyof T]: T[K] };

/** Names of a row's columns; any text when the row is open. */
export type ColumnName<R> = IsOpen<R> extends true ? string : keyof R & string;

export type CellAt<R, K> = IsOpen<R> extends true ? Open : K extends keyof R ? R[K] : Open;

export type NullIn<T> = IsOpen<T> extends true ? null : null extends T ? null : never;

/** Result of arithmetic on two JavaScript cell types. */
export type Arithmetic<A, B> =
  IsOpen<A> extends true
    ? Open
    : IsOpen<B> extends true
      ? Open
      : ArithmeticValue<NonNullable<A>, NonNullable<B>> | NullIn<A> | NullIn<B>;

type ArithmeticValue<A, B> = [A] extends [number]
  ? [B] extends [number]
    ? number
    : number | bigint | string
  : [A, B] extends [bigint, bigint]
    ? bigint
    : number | bigint | string;

/** Sums of integers are 64 bits wide. */
export type SumOf<T> = IsOpen<T> extends true ? Open : (T extends number ? number | bigint : T) | null;
