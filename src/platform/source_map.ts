import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { originalPositionFor, sourceContentFor, TraceMap } from "@jridgewell/trace-mapping";
import { OperatorOrigin } from "../plan/mod.ts";
import type { SourceLocation } from "./job_error.ts";

/** Longest chain of causes that is searched for a place in the user's code. */
const CAUSES_MAX = 10;

/**
 * Leads from a place in a bundle back to the line that the user wrote. Works on the text of a stack, so that an error
 * from a worker, which arrives as text, is treated like one from the main thread.
 */
export class SourceMap {
  readonly #bundleUrl: string;
  readonly #mapText: string;
  /** Made when the first place is asked for: most jobs have no error, and maps of large ones are large. */
  #made: TraceMap | null = null;
  readonly #baseDirectory: string;

  /** `baseDirectory`: what the map's relative sources are relative to. */
  constructor(bundleUrl: string, mapText: string, baseDirectory: string) {
    this.#bundleUrl = bundleUrl;
    this.#mapText = mapText;
    this.#baseDirectory = baseDirectory;
  }

  /**
   * The innermost frame of the stack that lies in a file of the user; null when there is none. `ahead`: characters from
   * there to what is meant; where a method is read, JavaScriptCore names the place before its dot.
   */
  locate(stack: string, ahead = 0): SourceLocation | null {
    for (const frame of this.#frames(stack)) {
      const location = this.original(frame.line, frame.column + ahead);
      if (location !== null) return location;
    }
    return null;
  }

  /** Of the error, else of what caused it. */
  locateError(error: Error): SourceLocation | null {
    let current: unknown = error;
    for (let depth = 0; depth < CAUSES_MAX && current instanceof Error; depth++) {
      const location = this.locate(current.stack ?? "", current instanceof OperatorOrigin ? 1 : 0);
      if (location !== null) return location;
      current = current.cause;
    }
    return null;
  }

  /** Line and column count from 1, in the bundle. Null for code that has no source, such as the library's. */
  original(line: number, column: number): SourceLocation | null {
    const found = originalPositionFor(this.#trace, { line, column: Math.max(0, column - 1) });
    if (found.source === null || !isUserFile(found.source)) return null;
    const file = resolve(this.#baseDirectory, found.source);
    const text = sourceContentFor(this.#trace, found.source) ?? readText(file);
    const lineText = text?.split("\n")[found.line - 1]?.trimEnd() ?? null;
    return { file, line: found.line, column: found.column + 1, lineText };
  }

  get #trace(): TraceMap {
    this.#made ??= traceOf(this.#mapText);
    return this.#made;
  }

  *#frames(stack: string): Generator<{ line: number; column: number }> {
    const path = fileURLToPath(this.#bundleUrl);
    for (const text of stack.split("\n")) {
      const at = text.lastIndexOf(path);
      if (at < 0) continue;
      const match = /^(?:\?[^:)]*)?:(\d+):(\d+)/.exec(text.slice(at + path.length));
      if (match) yield { line: Number(match[1]), column: Number(match[2]) };
    }
  }
}

/** A map that cannot be read leads nowhere: it may have come from elsewhere. */
function traceOf(mapText: string): TraceMap {
  try {
    return new TraceMap(mapText);
  } catch {
    return new TraceMap({ version: 3, sources: [], names: [], mappings: "" });
  }
}

/** Virtual modules of the bundler have names that no file has. */
function isUserFile(source: string): boolean {
  return !source.startsWith("\0") && !source.includes("sage:sage");
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
