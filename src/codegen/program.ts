import type { DataType } from "../arrow/mod.ts";
import type { OperatorId } from "../plan/mod.ts";
import { hostFunction, ModuleBuilder } from "../wasm/mod.ts";
import { ContextLayout } from "./context.ts";

/** How a column of the incoming batch is stored: part of what a generated module is specialised for. */
export interface InputColumn {
  readonly name: string;
  readonly type: DataType;
  /** Has nulls in this batch, so a validity bitmap is there. */
  readonly validity: boolean;
  readonly encoding: "plain" | "dictionary";
  /** Fields of a struct. */
  readonly children?: readonly InputColumn[];
}

export type FailureCode =
  | "integerOverflow"
  | "divisionByZero"
  | "castFailed"
  | "decimalOverflow"
  | "invalidArgument"
  | "dateOutOfRange";

/** A place in generated code that can fail, and what to say then. */
export interface FailureSite {
  readonly operator: OperatorId;
  readonly code: FailureCode;
  /** The expression as the user wrote it. */
  readonly expression: string;
}

/** Constant bytes that the code reads: the host puts them into the arena and their address into the context word. */
export interface LiteralBytes {
  /** Name of the context word. */
  readonly word: string;
  readonly bytes: Uint8Array;
}

/** Memory in which generated code remembers a result for each value of a column's dictionary. */
export interface DictionaryMemo {
  /** Name of the context word for its address; 0 while there is none. */
  readonly word: string;
  readonly inputColumn: number;
  /** Of one entry; all zeros where nothing is known. */
  readonly entryBytes: number;
}

/** What the host must set up before it runs a generated module, besides the columns. Plain data. */
export interface ProgramResources {
  readonly literals: readonly LiteralBytes[];
  /** Patterns that `env.regexMatch` is called with by index; flag u. */
  readonly patterns: readonly string[];
  readonly memos: readonly DictionaryMemo[];
  /** `Header.scratch*` must point to a region. */
  readonly usesScratch: boolean;
  /** How an aggregation numbers the combinations of its keys, when their domains are small. */
  readonly memoKeys: readonly MemoKey[] | null;
}

/** Domain of a key: the dictionary of an input column, or so many values; one more for null. */
export type MemoKey =
  | { readonly kind: "dictionary"; readonly inputColumn: number }
  | { readonly kind: "values"; readonly count: number };

const fail = hostFunction("env", "fail", { params: ["i32", "i32"], results: [] });

/** A module under construction together with what the host must know to run it. */
export class Program {
  readonly module = new ModuleBuilder({ memory: { initialPages: 1, maximumPages: 65536, shared: true } });
  readonly context = new ContextLayout();
  readonly sites: FailureSite[] = [];
  /** Some value of a row lives in the scratch region, which is emptied after each row. */
  usesScratch = false;
  memoKeys: readonly MemoKey[] | null = null;
  readonly #literals = new Map<string, LiteralBytes>();
  readonly #patterns: string[] = [];
  readonly #memos: DictionaryMemo[] = [];
  /** Code being generated runs once a dictionary value already. */
  insideMemo = false;

  /** Call that throws in the host with the site and the row (relative to the batch). */
  failCall(site: FailureSite, row: Parameters<typeof fail.call>[1]): ReturnType<typeof fail.call> {
    this.sites.push(site);
    return fail.call(this.sites.length - 1, row);
  }

  /** Name of the context word that will hold the address of a copy of `bytes`, 8-byte aligned; equal bytes share one. */
  literal(bytes: Uint8Array): string {
    const key = bytes.join(",");
    const known = this.#literals.get(key);
    if (known !== undefined) return known.word;
    const word = `literal${this.#literals.size}`;
    this.context.word(word);
    this.#literals.set(key, { word, bytes });
    return word;
  }

  /** Number by which `env.regexMatch` knows `pattern`. */
  pattern(pattern: string): number {
    const known = this.#patterns.indexOf(pattern);
    return known >= 0 ? known : this.#patterns.push(pattern) - 1;
  }

  /** Name of the context word with the address of a new memo. */
  dictionaryMemo(inputColumn: number, entryBytes: number): string {
    const word = `dictionaryMemo${this.#memos.length}`;
    this.context.word(word);
    this.#memos.push({ word, inputColumn, entryBytes });
    return word;
  }

  resources(): ProgramResources {
    return {
      literals: [...this.#literals.values()],
      patterns: this.#patterns,
      memos: this.#memos,
      usesScratch: this.usesScratch,
      memoKeys: this.memoKeys,
    };
  }
}
