import { UsageError } from "./error.ts";

/** `--param name=value` as typed; the job says what the value must be. */
export type ParamText = readonly [name: string, text: string];

/** Names that are given twice are left to the job, which knows its lists. @throws {UsageError} for texts without "=" */
export function readParams(command: string, texts: readonly string[] = []): ParamText[] {
  return texts.map((text) => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw new UsageError(`--param ${text} is not NAME=VALUE.`, { command });
  });
}
