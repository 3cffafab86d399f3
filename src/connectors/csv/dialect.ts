import type { CsvSourceOptions } from "../../stream/mod.ts";
import { ConnectorError } from "../error.ts";

/** Options as bytes; -1 where a character has no role. */
export interface Dialect {
  readonly delimiter: number;
  readonly quote: number;
  /** -1 when quotes are doubled. */
  readonly escape: number;
  readonly comment: number;
  readonly nulls: readonly Uint8Array[];
  /** An unquoted empty field is null. */
  readonly emptyIsNull: boolean;
}

export const LF = 10;
export const CR = 13;

export function dialectOf(options: CsvSourceOptions): Dialect {
  const delimiter = character("delimiter", options.delimiter);
  const quote = options.quote === null ? -1 : character("quote", options.quote);
  const escape = options.escape === null ? -1 : character("escape", options.escape);
  const comment = options.comment === null ? -1 : character("comment", options.comment);
  if (delimiter === quote || delimiter === escape || (comment >= 0 && (comment === delimiter || comment === quote))) {
    throw new ConnectorError("option", "CSV: delimiter, quote, escape and comment must be different characters.");
  }
  const encoder = new TextEncoder();
  const nulls = options.nulls.filter((text) => text !== "").map((text) => encoder.encode(text));
  const emptyIsNull = options.nulls.includes("");
  return { delimiter, quote, escape: escape === quote ? -1 : escape, comment, nulls, emptyIsNull };
}

function character(name: string, text: string): number {
  const code = text.charCodeAt(0);
  if (text.length === 1 && code > 0 && code < 128 && code !== LF && code !== CR) return code;
  throw new ConnectorError(
    "option",
    `CSV option ${name} is ${JSON.stringify(text)}; it must be one ASCII character, no line break.`,
  );
}
