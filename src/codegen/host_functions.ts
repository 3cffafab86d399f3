/**
 * Functions of the host that generated code calls, and their implementation. Text functions get an address and a
 * length and answer with both in one int64: address in the high, bytes in the low 32 bits.
 */
import type { Arena, OwnerId } from "../arrow/mod.ts";
import { SageError } from "../kernel/mod.ts";
import { hostFunction } from "../wasm/mod.ts";
import { DictionaryMemos } from "./dictionary_memos.ts";
import { formatDecimal, formatFloat32, formatFloat64, formatTemporal, type TextResult } from "./host_format.ts";
import { parseBool, parseDecimal, parseFloat64, parseTemporal } from "./host_parse.ts";
import { isUtf8, readText } from "./host_text.ts";
import type { FailureCode, FailureSite, ProgramResources } from "./program.ts";
import { Scratch } from "./scratch.ts";

const f64ToF64 = { params: ["f64"], results: ["f64"] } as const;
const f64F64ToF64 = { params: ["f64", "f64"], results: ["f64"] } as const;
const textToText = { params: ["i32", "i32", "i32"], results: ["i64"] } as const;

export const hostLn = hostFunction("env", "ln", f64ToF64);
export const hostExp = hostFunction("env", "exp", f64ToF64);
export const hostPow = hostFunction("env", "pow", f64F64ToF64);
/** C's fmod: exact, sign of the dividend. */
export const hostFmod = hostFunction("env", "fmod", f64F64ToF64);

/** (ctx, bytes) → address of scratch space, after the region was made larger. */
export const hostGrowScratch = hostFunction("env", "growScratch", { params: ["i32", "i32"], results: ["i32"] });

/** (ctx, address, bytes) → text; for text with bytes past 0x7f. */
export const hostLower = hostFunction("env", "lower", textToText);
export const hostUpper = hostFunction("env", "upper", textToText);
/** (ctx, address, bytes, sides as in `TRIM`) → text. */
export const hostTrim = hostFunction("env", "trim", { params: ["i32", "i32", "i32", "i32"], results: ["i64"] });
/** (pattern number, address, bytes) → 0 or 1. */
export const hostRegexMatch = hostFunction("env", "regexMatch", { params: ["i32", "i32", "i32"], results: ["i32"] });

/** (address, bytes) → 1 when the bytes are UTF-8. */
export const hostIsUtf8 = hostFunction("env", "isUtf8", { params: ["i32", "i32"], results: ["i32"] });

/** (ctx, value) → text. */
export const hostFormatFloat64 = hostFunction("env", "formatFloat64", { params: ["i32", "f64"], results: ["i64"] });
export const hostFormatFloat32 = hostFunction("env", "formatFloat32", { params: ["i32", "f32"], results: ["i64"] });
/** (ctx, low, high, scale) → text. */
export const hostFormatDecimal = hostFunction("env", "formatDecimal", {
  params: ["i32", "i64", "i64", "i32"],
  results: ["i64"],
});
/** (ctx, form, value, offset in seconds): form as in `TEMPORAL_FORMS`. */
export const hostFormatTemporal = hostFunction("env", "formatTemporal", {
  params: ["i32", "i32", "i64", "i32"],
  results: ["i64"],
});

/** (address, bytes, out) → 1 when it is a number, then stored at `out`. */
export const hostParseFloat64 = hostFunction("env", "parseFloat64", {
  params: ["i32", "i32", "i32"],
  results: ["i32"],
});
/** (address, bytes, out, scale) → 1 when it is a number, then 16 bytes stored at `out`. */
export const hostParseDecimal = hostFunction("env", "parseDecimal", {
  params: ["i32", "i32", "i32", "i32"],
  results: ["i32"],
});
/** (address, bytes) → 0, 1, or 2 where it is no boolean. */
export const hostParseBool = hostFunction("env", "parseBool", { params: ["i32", "i32"], results: ["i32"] });
/**
 * (address, bytes, out, form) → 0 where it is none; else 1, or 2 when the text gave an offset from UTC (then the value
 * is in UTC). An int64 is stored at `out`.
 */
export const hostParseTemporal = hostFunction("env", "parseTemporal", {
  params: ["i32", "i32", "i32", "i32"],
  results: ["i32"],
});

/** Thrown out of generated code; the executor adds the row's context and the operator's name. */
export class CodegenFailure extends SageError<FailureCode> {
  override readonly name = "CodegenFailure";
  readonly site: FailureSite;
  /** Row in the batch. */
  readonly row: number;

  constructor(site: FailureSite, row: number) {
    const [what, advice] = FAILURE_TEXT[site.code];
    super(site.code, `${what} in ${site.expression}, row ${row}${advice}`);
    this.site = site;
    this.row = row;
  }
}

/** What failed, and what follows behind the place. */
const FAILURE_TEXT: Readonly<Record<FailureCode, readonly [what: string, advice: string]>> = {
  integerOverflow: [
    "Integer overflow",
    ": the result does not fit its type. Cast an operand to a wider type, decimal or float64",
  ],
  divisionByZero: ["Division by zero", ". Use nullIf(0) on the divisor to get null instead"],
  castFailed: ["Cast failed", ": the value does not fit the type. Make such values null with when() before the cast"],
  decimalOverflow: [
    "Decimal overflow",
    ": the result has more digits than its type. Cast the operands to float64 or fewer digits",
  ],
  invalidArgument: ["Invalid argument", ""],
  dateOutOfRange: ["Date out of range", ": the result does not fit its type"],
};

export interface HostDependencies {
  readonly arena: Arena;
  readonly owner: OwnerId;
  readonly sites: readonly FailureSite[];
  readonly resources: ProgramResources;
}

export interface Host {
  /** For `env`, together with `memory` and what the terminal needs. */
  readonly imports: Readonly<Record<string, (...args: never[]) => unknown>>;
  /** Puts literals and scratch region of a module into a fresh context block at `ctx`. */
  readonly prepare: (ctx: number, find: (word: string) => number | undefined) => void;
  /**
   * To be called whenever other columns are put into the context block: forgets what was remembered of dictionaries.
   * `dictionaryLength` tells how many values the dictionary of an input column has, null when it has none.
   */
  readonly bindBatch: (
    ctx: number,
    find: (word: string) => number | undefined,
    dictionaryLength: (inputColumn: number) => number | null,
  ) => void;
  /** Frees what `prepare` and the code allocated. */
  readonly release: () => void;
}

/** One for each worker and generated module: it owns the module's literals and scratch memory. */
export function createHost(deps: HostDependencies): Host {
  const { arena, owner, resources } = deps;
  const scratch = new Scratch(arena, owner);
  const literals: number[] = [];
  const prepare = (ctx: number, find: (word: string) => number | undefined): void => {
    for (const { word, bytes } of resources.literals) {
      const offset = find(word);
      if (offset === undefined) continue;
      const address = arena.allocate(bytes.length, owner);
      literals.push(address);
      arena.u8.set(bytes, address);
      arena.u32[(ctx + offset) >>> 2] = address;
    }
    if (resources.usesScratch) scratch.attach(ctx);
  };
  const memos = new DictionaryMemos(deps);
  const release = (): void => {
    memos.release();
    for (const address of literals.splice(0)) arena.release(address);
    scratch.release();
  };
  return { imports: hostImports(deps, scratch), prepare, bindBatch: (...args) => memos.bind(...args), release };
}

function hostImports(deps: HostDependencies, scratch: Scratch): Host["imports"] {
  const { arena, sites, resources } = deps;
  const patterns = resources.patterns.map((pattern) => new RegExp(pattern, "u"));
  const write = (ctx: number, text: TextResult): bigint => scratch.write(ctx, text);
  const out = (address: number) => address >>> 3;
  return {
    fail: (site: number, row: number): never => {
      throw new CodegenFailure(sites[site] as FailureSite, row >>> 0);
    },
    ln: Math.log,
    exp: Math.exp,
    pow: cPow,
    fmod: (a: number, b: number) => a % b,
    growScratch: (ctx: number, bytes: number) => scratch.grow(ctx >>> 0, bytes >>> 0) | 0,
    lower: (ctx: number, at: number, bytes: number) => write(ctx, readText(arena.u8, at, bytes).toLowerCase()),
    upper: (ctx: number, at: number, bytes: number) => write(ctx, readText(arena.u8, at, bytes).toUpperCase()),
    trim: (ctx: number, at: number, bytes: number, sides: number) =>
      write(ctx, trimSides(readText(arena.u8, at, bytes), sides)),
    regexMatch: (id: number, at: number, bytes: number) =>
      (patterns[id] as RegExp).test(readText(arena.u8, at, bytes)) ? 1 : 0,
    isUtf8: (at: number, bytes: number) => (isUtf8(arena.u8, at, bytes) ? 1 : 0),
    formatFloat64: (ctx: number, value: number) => write(ctx, formatFloat64(value)),
    formatFloat32: (ctx: number, value: number) => write(ctx, formatFloat32(value)),
    formatDecimal: (ctx: number, low: bigint, high: bigint, scale: number) =>
      write(ctx, formatDecimal((high << 64n) | BigInt.asUintN(64, low), scale)),
    formatTemporal: (ctx: number, form: number, value: bigint, offset: number) =>
      write(ctx, formatTemporal(form, value, offset)),
    parseFloat64: (at: number, bytes: number, to: number) => {
      const value = parseFloat64(readText(arena.u8, at, bytes));
      if (value === null) return 0;
      arena.f64[out(to)] = value;
      return 1;
    },
    parseDecimal: (at: number, bytes: number, to: number, scale: number) => {
      const value = parseDecimal(readText(arena.u8, at, bytes), scale);
      if (value === null) return 0;
      arena.i64[out(to)] = BigInt.asIntN(64, value);
      arena.i64[out(to) + 1] = value >> 64n;
      return 1;
    },
    parseBool: (at: number, bytes: number) => parseBool(readText(arena.u8, at, bytes)),
    parseTemporal: (at: number, bytes: number, to: number, form: number) => {
      const parsed = parseTemporal(readText(arena.u8, at, bytes), form);
      if (parsed === null) return 0;
      arena.i64[out(to)] = parsed.value;
      return parsed.hasOffset ? 2 : 1;
    },
  };
}

/** C's pow, which differs from JavaScript's for a base of ±1. */
function cPow(base: number, exponent: number): number {
  if (base === 1) return 1;
  if (base === -1 && (exponent === Number.POSITIVE_INFINITY || exponent === Number.NEGATIVE_INFINITY)) return 1;
  return base ** exponent;
}

function trimSides(text: string, sides: number): string {
  if (sides === 1) return text.trimStart();
  return sides === 2 ? text.trimEnd() : text.trim();
}
